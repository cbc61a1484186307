"""One visit to the page: what a person does with it, and what they see."""

import json
import shlex
import subprocess
from pathlib import Path

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

PATIENCE = 30  # seconds, for two busy cores
MADE = [round(40 + 0.1 * (day * day % 17) + 0.05 * day, 2) for day in range(60)]


class Visit:
    """A browser on the way to the page at `address`."""

    def __init__(self, browser, address, downloads):
        self.browser, self.address, self.downloads = browser, address, Path(downloads)
        self.expected = ()

    def reset(self):
        """Nothing kept, no emulation, an empty console."""
        self.browser.get("about:blank")
        self.tell("Storage.clearDataForOrigin", origin=self.address, storageTypes="all")
        self.tell("Emulation.clearDeviceMetricsOverride")
        self.tell("Emulation.setEmulatedMedia", features=[])
        self.tell("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))
        self.browser.get_log("browser")

    def tell(self, command, **values):
        """Say something in the DevTools protocol."""
        return self.browser.execute_cdp_cmd(command, values)

    def prefer(self, **features):
        """Emulate media features: prefers_color_scheme="dark"."""
        told = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.tell("Emulation.setEmulatedMedia", features=told)

    def narrow(self, width, height=780):
        """A phone."""
        self.tell("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2, mobile=True)

    def open(self, path="/"):
        """Go there, and wait for the page to have said everything: it starts with an example."""
        self.browser.get(self.address + path)
        if path.endswith("/docs"):
            self.wait(lambda: self.find("#reference").get_attribute("aria-busy") == "false")
        else:
            self.settled()
            self.wait(lambda: self.finds("#verdict"))
        return self

    def find(self, selector):
        """The element of a CSS selector."""
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def finds(self, selector):
        """All of them."""
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        """Read a text; the page may draw it anew meanwhile."""
        return self.run("return document.querySelector(arguments[0])?.innerText.trim() ?? ''", selector)

    def run(self, script, *values):
        """The value of a script."""
        return self.browser.execute_script(script, *values)

    def wait(self, condition):
        """Until it holds."""
        return WebDriverWait(self.browser, PATIENCE, poll_frequency=0.05).until(lambda _: condition())

    def settled(self):
        """The forecast and its explanation are on screen."""
        self.wait(
            lambda: (
                self.find("#answer").get_attribute("aria-busy") == "false"
                and self.finds("#predicted")
                and self.finds("#heat canvas")
            )
        )

    def click(self, selector):
        """Press it."""
        found = self.find(selector)
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", found)
        found.click()

    def choose(self, selector, value):
        """Take an option of a select."""
        Select(self.find(selector)).select_by_value(str(value))
        self.drawn()

    def drawn(self):
        """Wait until a choice is drawn: two frames, as the first one may have begun before it."""
        self.browser.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))"
        )

    def hover(self, selector, share):
        """Point at a place so far from left to right over an element."""
        found = self.find(selector)
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", found)
        across = int(found.size["width"] * (share - 0.5))
        ActionChains(self.browser).move_to_element_with_offset(found, across, 0).perform()

    def keys(self, *pressed):
        """Press keys wherever the focus is."""
        ActionChains(self.browser).send_keys(*pressed).perform()

    def focused(self):
        """The id of what has the focus, or its label."""
        return self.run("return document.activeElement.id || document.activeElement.textContent.trim()")

    def fill(self, text):
        """Put a text into the field of prices as an editor does, all at once."""
        self.run(
            "const field = document.getElementById('prices'); field.value = arguments[0];"
            "field.dispatchEvent(new InputEvent('input', {bubbles: true}));",
            text,
        )

    def paste(self, text):
        """Paste a text over what stands in the field: through the clipboard's own key."""
        self.tell("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
        self.browser.execute_async_script(
            "navigator.clipboard.writeText(arguments[0]).then(() => arguments[1](), arguments[1])", text
        )
        self.find("#prices").send_keys(Keys.CONTROL, "a")
        self.find("#prices").send_keys(Keys.CONTROL, "v")

    def forecast(self):
        """Press the button and wait for the answer."""
        self.run("document.getElementById('found').replaceChildren()")
        self.click("#go")
        self.settled()

    def upload(self, name, content):
        """Choose a file."""
        path = self.downloads / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.find("#file").send_keys(str(path))

    def drop(self, *files):
        """Drop files, (name, text) each, onto the page."""
        self.run(
            "const carried = new DataTransfer();"
            "for (const [name, text] of arguments[0]) carried.items.add(new File([text], name));"
            "for (const kind of ['dragover', 'drop']) document.getElementById('drop').dispatchEvent("
            "  new DragEvent(kind, {bubbles: true, cancelable: true, dataTransfer: carried}));",
            files,
        )

    def downloaded(self, selector, name):
        """Press a download and read the file that comes."""
        self.click(selector)
        path = self.downloads / name
        self.wait(lambda: path.exists() and not list(self.downloads.glob("*.crdownload")))
        return path.read_text(encoding="utf-8")

    def curl(self):
        """The shell's line on screen, as its words."""
        return shlex.split(self.run("return document.getElementById('curl').textContent"))

    def asked(self):
        """The body of the request on screen."""
        return json.loads(self.curl()[-1])

    def answer(self):
        """Run the very line on screen by a shell, and return the API's answer."""
        line = self.run("return document.getElementById('curl').textContent")
        return subprocess.run(["bash"], input=line, capture_output=True, text=True, check=True).stdout

    def fault(self):
        """Return the message at the prices."""
        return self.text("#prices-fault")

    def fits(self):
        """Return whether nothing has to be scrolled sideways."""
        return self.run("return document.documentElement.scrollWidth <= window.innerWidth")

    def check_console(self):
        """No error, no warning, no violation of the policy; but for what a test provokes."""
        said = [entry["message"] for entry in self.browser.get_log("browser")]
        assert [message for message in said if not any(part in message for part in self.expected)] == []
