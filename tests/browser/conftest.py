"""Fixtures of the browser tests: the real server, a headless Chromium, and a console that must stay silent."""

import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.browser.visit import Visit
from tests.export.local.test_server import serving

MODELS = Path(__file__).parent.parent.parent / "models"
DESKTOP = (1360, 900)
PLACES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def server():
    """The address of `efemera serve` with the committed model."""
    with serving(MODELS) as (address, _):
        yield address


def major(program):
    """The first number of a program's version: a driver drives its own."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return re.search(r"(\d+)\.", said)[1]


@contextmanager
def chromium(*options, preferences=None):
    """A headless Chromium by the driver of this machine; Selenium is to fetch none."""
    driver = shutil.which("chromedriver")
    assert driver, "there is no chromedriver: make test-browser says what to install"
    programs = [found for name in PLACES if (found := shutil.which(name))]
    assert programs, "there is no Chromium: make test-browser says what to install"
    program = next((one for one in programs if major(one) == major(driver)), programs[0])
    settings = webdriver.ChromeOptions()
    settings.binary_location = program
    for option in (
        "--headless=new",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        f"--window-size={DESKTOP[0]},{DESKTOP[1]}",
    ):
        settings.add_argument(option)
    if os.geteuid() == 0:
        settings.add_argument("--no-sandbox")  # Chromium's own refuses to be root's
    for option in options:
        settings.add_argument(option)
    settings.add_experimental_option("prefs", preferences or {})
    settings.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=settings, service=Service(executable_path=driver))
    try:
        yield browser
    finally:
        browser.quit()


@pytest.fixture(scope="session")
def english():
    """One Chromium for all tests that speak English; each gets it as new."""
    with chromium("--lang=en-US", preferences={"intl.accept_languages": "en-US,en"}) as browser:
        yield browser


@pytest.fixture
def page(english, server, tmp_path):
    """The browser before it has opened a page. Ends in a failure if the console has said anything."""
    visit = Visit(english, server, tmp_path)
    visit.reset()
    yield visit
    visit.check_console()
