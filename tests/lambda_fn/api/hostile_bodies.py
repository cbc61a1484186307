"""Bodies meant to hurt, and the largest that are right."""

from tests.lambda_fn.api.answers import INFER, PREDICT

LARGEST = 6_000_000  # characters of a body: Lambda takes 6 MiB, and the event is more than its body
GOOD = ",".join(["40"] * 60)
QUOTE, CONTROL = '\\"', r"\u0001"  # 2 and 6 bytes of an answer; Lambda sends that as JSON in JSON, with 4 and 7


def filled(start, piece, end):
    """As many pieces between start and end as the largest body holds."""
    return start + piece * ((LARGEST - len(start) - len(end)) // len(piece)) + end


def array(item, count):
    """A JSON list of one item many times."""
    return f"[{','.join([item] * count)}]"


def keyed(count):
    """A JSON object of so many keys."""
    return "{" + ",".join(f'"{number:05x}":0' for number in range(count)) + "}"


def many(count, prices, name="%d"):
    """A request of so many series with these prices."""
    series = ",".join(f'{{"id":"{name % number}","prices":{prices}}}' for number in range(count))
    return f'{{"series":[{series}]}}'


def tensors(data, shape="[1,60]", more=""):
    """An inference request."""
    return f'{{"inputs":[{{"name":"prices","shape":{shape},"datatype":"FP64","data":{data}}}]{more}}}'


BODIES = {
    "100,000 arrays in one another": lambda: "[" * 100_000 + "]" * 100_000,
    "100,000 arrays, never closed": lambda: "[" * 100_000,
    "100,000 objects in one another": lambda: '{"prices":' * 100_000 + "1" + "}" * 100_000,
    "100,000 arrays as prices": lambda: '{"prices":' + "[" * 100_000 + "]" * 100_000 + "}",
    "100,000 arrays as data": lambda: tensors("[" * 100_000 + "]" * 100_000),
    "100,000 arrays in a field unread": lambda: tensors(f"[{GOOD}]", more=',"x":' + "[" * 100_000 + "]" * 100_000),
    "100,000 objects as parameters": lambda: tensors(
        f'[{GOOD}],"parameters":' + '{"":' * 100_000 + "1" + "}" * 100_000
    ),
    "900 arrays as a price": lambda: f'{{"prices":[{GOOD},{"[" * 900}{"]" * 900}]}}',
    "3 million brackets": lambda: filled("", "[", ""),
    "a number of 6 MB": lambda: filled("", "9", ""),
    "a price of 6 MB": lambda: filled(f'{{"prices":[{GOOD},', "9", "]}"),
    "a datum of 6 MB": lambda: filled(
        '{"inputs":[{"name":"prices","shape":[1,60],"datatype":"FP64","data":[', "9", "]}]}"
    ),
    "a fraction of 6 MB": lambda: filled(f'{{"prices":[{GOOD},1.', "3", "]}"),
    "a horizon of 6 MB": lambda: filled(f'{{"prices":[{GOOD}],"horizon":', "9", "}"),
    "60 prices of 100,000 digits": lambda: f'{{"prices":{array("9" * 99_998, 60)}}}',
    "60 data of 100,000 digits": lambda: tensors(array("9" * 99_990, 60)),
    "3 million prices": lambda: filled('{"prices":[', "1,", "1]}"),
    "3 million data": lambda: filled(tensors("[")[:-3], "1,", "1]}]}"),
    "3 million levels": lambda: filled(f'{{"prices":[{GOOD}],"levels":[', "5,", "5]}"),
    "3 million sizes": lambda: filled(
        '{"inputs":[{"name":"prices","datatype":"FP64","data":[1],"shape":[', "1,", "1]}]}"
    ),
    "1.5 million strings as prices": lambda: filled('{"prices":[', '"a",', '"a"]}'),
    "1.5 million strings as data": lambda: filled(tensors("[")[:-3], '"a",', '"a"]}]}'),
    "1.5 million strings as a row of data": lambda: filled(tensors("[[")[:-3], '"a",', '"a"]]}]}'),
    "2 million objects as prices": lambda: filled('{"prices":[', "{},", "{}]}"),
    "2 million objects as series": lambda: filled('{"series":[', "{},", "{}]}"),
    "2 million objects as data": lambda: filled(tensors("[")[:-3], "{},", "{}]}]}"),
    "2 million objects as a row of data": lambda: filled(tensors("[[")[:-3], "{},", "{}]]}]}"),
    "2 million objects as a row of data, then no JSON": lambda: filled(tensors("[[")[:-3], "{},", "{}]]}]}x"),
    "3 million data, the last one NaN": lambda: filled(tensors("[")[:-3], "1,", "NaN]}]}"),
    "3 million bad data, the last one NaN": lambda: filled(tensors("[")[:-3], "0,", "NaN]}]}"),
    "3 million prices, the last one NaN": lambda: filled('{"prices":[', "1,", "NaN]}"),
    "2 million rows of data": lambda: filled(tensors("[[],")[:-3], "[],", "[]]}]}"),
    "2 million inputs": lambda: filled('{"inputs":[', "{},", "{}]}"),
    "1.5 million arrays of one": lambda: filled('{"prices":[', "[0],", "[0]]}"),
    "800,000 objects of one": lambda: filled('{"prices":[', '{"":0},', "0]}"),
    "1,000 series of 3,000 bad prices": lambda: many(1000, array("0", 2980)),
    "600 series of 5,000 bad prices": lambda: many(597, array("0", 5000)),
    "1,000 series of a long id and bad prices": lambda: many(1000, array("0", 2870), "\\t" * 195 + "%04d"),
    "1,000 series of good prices and one bad": lambda: many(1000, "[0," + array("1", 2970)[1:]),
    "1,000 series of 990 prices of 1e400": lambda: many(1000, array("1e400", 990)),
    "one id for 1,000 series": lambda: many(1000, f"[{GOOD}]", "S%.0s"),
    "1,000 inputs of bad prices": lambda: tensors(array("0", 60_000), "[1000,60]"),
    "600,000 unknown keys": lambda: keyed(599_999),
    "600,000 unknown keys of a series": lambda: f'{{"series":[{keyed(599_990)}]}}',
    "500,000 parameters": lambda: tensors(f'[1],"parameters":{keyed(500_000)}'),
    "60,000 times the key prices": lambda: '{"prices":[1],' * 60_000 + f'"prices":[{GOOD}]}}',
    "500,000 times the key id": lambda: '{"id":"a",' + '"id":"a",' * 500_000 + tensors(f"[{GOOD}]")[1:],
    "twice the key prices, the last one bad": lambda: f'{{"prices":[{GOOD}],"prices":0}}',
    "twice the key prices, the first one bad": lambda: f'{{"prices":0,"prices":[{GOOD}]}}',
    "twice the key series, the first one bad": lambda: f'{{"series":0,"series":[{{"id":"a","prices":[{GOOD}]}}]}}',
    "twice the key data, the last one bad": lambda: tensors(f'[{GOOD}],"data":0'),
    "a key of 6 MB": lambda: filled('{"', "k", '":1}'),
    "an id of 6 MB": lambda: filled('{"series":[{"id":"', "i", f'","prices":[{GOOD}]}}]}}'),
    "an id of 1 million faces": lambda: filled('{"series":[{"id":"', r"\ud83d\ude00", f'","prices":[{GOOD}]}}]}}'),
    "a request id of 6 MB": lambda: filled(tensors(f"[{GOOD}]", more=',"id":"')[:-1], "i", '"}'),
    "a request id of 5 MB": lambda: tensors(f"[{GOOD}]", more=f',"id":"{"i" * 5_000_000}"'),
    "a request id of 2 million quotes": lambda: tensors(f"[{GOOD}]", more=f',"id":"{QUOTE * 2_200_000}"').encode(),
    "a request id of 700,000 controls": lambda: tensors(f"[{GOOD}]", more=f',"id":"{CONTROL * 740_000}"').encode(),
    "a calendar of 6 MB": lambda: filled(f'{{"prices":[{GOOD}],"calendar":"', "c", '"}'),
    "a date of 6 MB": lambda: filled(f'{{"prices":[{GOOD}],"last_date":"', "2", '"}'),
    "a datatype of 6 MB": lambda: filled(
        '{"inputs":[{"name":"prices","shape":[1,60],"datatype":"', "F", '","data":[1]}]}'
    ),
    "every output 100 times": lambda: tensors(
        array("1", 60_000), "[1000,60]", ',"outputs":' + array('{"name":"quantiles"}', 100)
    ),
    "every output 1,000 times": lambda: tensors(
        array("1", 60_000), "[1000,60]", ',"outputs":' + array('{"name":"quantiles"}', 1000)
    ),
    "280,000 outputs": lambda: filled(
        tensors(f"[{GOOD}]", more=',"outputs":[')[:-1], '{"name":"quantiles"},', '{"name":"quantiles"}]}'
    ),
    "280,000 wrong outputs": lambda: filled(
        tensors(f"[{GOOD}]", more=',"outputs":[')[:-1], '{"name":"q"},', '{"name":""}]}'
    ),
    "sizes beyond any machine": lambda: tensors(f"[{GOOD}]", "[9223372036854775807,60]"),
    "sizes beyond any integer": lambda: tensors(f"[{GOOD}]", "[-1,99999999999999999999999999999999]"),
    "1e999999999": lambda: f'{{"prices":[{GOOD},1e999999999,-1e999999999,1e-999999999]}}',
    "1e999999999 as data": lambda: tensors(f"[{GOOD[3:]},1e999999999]"),
    "1e400": lambda: f'{{"prices":[{GOOD},1e400]}}',
    "minus nought": lambda: f'{{"prices":[{GOOD},-0.0],"horizon":-0}}',
    "minus nought as data": lambda: tensors(f"[{GOOD[3:]},-0.0]"),
    "an escaped half of a pair": lambda: f'{{"prices":[{GOOD}],"\\ud800":"\\udfff"}}',
    "an escaped half of a pair as id": lambda: f'{{"series":[{{"id":"\\ud800","prices":[{GOOD}]}}]}}',
    "an escaped half of a pair as request id": lambda: tensors(f"[{GOOD}]", more=',"id":"\\ud800"'),
    "a raw half of a pair": lambda: f'{{"series":[{{"id":"\ud800","prices":[{GOOD}]}}]}}',
    "a raw half of a pair as request id": lambda: tensors(f"[{GOOD}]", more=',"id":"\udfff"'),
    "a raw half of a pair in bytes": lambda: b'{"series":[{"id":"\xed\xa0\x80","prices":[1]}],"\xed\xa0\x80":1}',
    "overlong and broken UTF-8": lambda: b'{"prices":[1],"\xc0\xaf\xf5\x80\xff":1}',
    "broken UTF-8 in data": lambda: tensors('["\udcff"]').encode("utf-8", "surrogateescape"),
    "NUL bytes": lambda: "\0" * LARGEST,
    "a NUL byte behind the body": lambda: f'{{"prices":[{GOOD}]}}\0',
    "a NUL byte in an id": lambda: f'{{"series":[{{"id":"\0","prices":[{GOOD}]}},{{"id":"\\u0000","prices":[]}}]}}',
    "a byte order mark": lambda: f'\ufeff{{"prices":[{GOOD}]}}',
    "UTF-16": lambda: f'{{"prices":[{GOOD}]}}'.encode("utf-16"),
    "UTF-16 without a mark": lambda: tensors(f"[{GOOD}]").encode("utf-16-le"),
    "UTF-32": lambda: f'{{"prices":[{GOOD}]}}'.encode("utf-32"),
    "6 MB of spaces": lambda: filled("", " ", f'{{"prices":[{GOOD}]}}'),
    "6 MB of backslashes": lambda: filled('{"', "\\", ""),
    "6 MB of an open string": lambda: filled('{"prices":["', "a", ""),
    "6 MB of no ASCII": lambda: "{" + "\U0001f600" * 1_490_000,
}
RIGHT = {  # the largest requests that are right
    "1,000 series of 6 MB": (PREDICT, lambda: many(1000, array("40.5", 1190))),
    "5,000 prices": (PREDICT, lambda: f'{{"prices":{array("40.123456789", 5000)}}}'),
    "1,000 windows of 6 MB": (INFER, lambda: tensors(array(f"{40:.95f}", 60_000), "[1000,60]")),
    "one window behind 5 MB of spaces": (INFER, lambda: tensors(" " * 5_000_000 + f"[{GOOD}]")),
}
