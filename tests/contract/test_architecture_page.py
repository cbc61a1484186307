"""docs/architecture.md and its picture: every file, function and package they name exists, and none is left out."""

import ast
import re
from pathlib import Path

from tests.infra.picture import collisions, foreign, texts

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PICTURE = (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")
PACKAGES = {
    str(folder.parent.relative_to(ROOT))
    for top in ("export", "lambda_fn")
    for folder in (ROOT / top).glob("*/__init__.py")
}
OUTSIDE = {"Caller", "Every evening", "CodeDeploy", "You", "models/"}  # drawn, and no package


def functions(path: Path) -> set[str]:
    """List a module's functions, and methods as Class.method."""
    tree, kinds = ast.parse(path.read_text(encoding="utf-8")), (ast.FunctionDef, ast.AsyncFunctionDef)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    names = {node.name for node in tree.body if isinstance(node, kinds)}
    return names | {f"{one.name}.{node.name}" for one in classes for node in one.body if isinstance(node, kinds)}


def named(page: str) -> list[tuple[str, str]]:
    """List each function that stands behind a file on a line: file and function."""
    found = []
    for line in page.splitlines():
        for path, words in re.findall(r"`([\w/]+\.py)`((?:(?!`[\w/]+\.py`).)*)", line):
            found += [(path, name) for name in re.findall(r"`([\w.]+)\(\)`", words)]
    return found


def test_every_function_that_the_traces_name_is_in_its_file():
    assert len(named(PAGE)) > 20
    assert [pair for pair in named(PAGE) if pair[1] not in functions(ROOT / pair[0])] == []


def test_every_function_that_the_page_names_stands_behind_its_file():
    assert len(named(PAGE)) == len(re.findall(r"`[\w.]+\(\)`", PAGE))


def test_the_tables_list_every_package():
    listed = re.findall(r"^\| `((?:export|lambda_fn)/\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(PACKAGES)


def test_the_picture_draws_every_package_and_no_other():
    drawn = {text.words for text in texts(PICTURE) if text.is_name}
    assert drawn - OUTSIDE == {Path(package).name for package in PACKAGES}
    assert drawn >= OUTSIDE


def test_the_picture_can_be_read_in_light_and_dark_and_asks_nobody_for_anything():
    assert foreign(PICTURE) == []
    assert collisions(PICTURE) == []
    light, dark = PICTURE.split("@media (prefers-color-scheme: dark)")
    colours = [re.findall(r"(--\w+): #[0-9a-f]{6}", part) for part in (light, dark)]
    assert colours[0] == colours[1]
    assert set(colours[0]) == set(re.findall(r"var\((--\w+)\)", PICTURE))
    assert len(re.findall(r"#[0-9a-f]{6}\b", PICTURE)) == 2 * len(colours[0])
