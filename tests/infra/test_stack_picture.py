"""infra/stack.svg: a picture that any viewer may show, readable in light and dark, and true of template.yaml."""

import json
import re
from xml.etree import ElementTree

from tests.bench.stack import read
from tests.infra.conftest import ROOT
from tests.infra.picture import SVG, collisions, foreign, texts

PICTURE = ROOT / "infra" / "stack.svg"
TEXT = PICTURE.read_text(encoding="utf-8")
STYLE = re.search(r"<style>(.*?)</style>", TEXT, re.S)[1]
TEMPLATE = read()
RESOURCES, PARAMETERS = TEMPLATE["Resources"], TEMPLATE["Parameters"]
STATES = json.loads((ROOT / "infra" / "batch.asl.json").read_text(encoding="utf-8"))["States"]
WORDS = {found.words for found in texts(TEXT)}
# Names of what is no resource of its own, and what makes each true.
OTHERS = {
    "Caller": True,
    "Closes": True,
    "E-mail": RESOURCES["AlarmSubscription"]["Properties"]["Protocol"] == "email",
    "Canary": "DeploymentPreference" in RESOURCES["ApiFunction"]["Properties"],
    "Scheduler": RESOURCES["BatchStateMachine"]["Properties"]["Events"]["Evening"]["Type"] == "ScheduleV2",
    "Plan": "Plan" in STATES,
    "Forecast": "Forecast" in STATES["Forecast shards"]["ItemProcessor"]["States"],
    "Finish": "Finish" in STATES,
    "X-Ray": TEMPLATE["Globals"]["Function"]["Tracing"] == "Active",
    "CloudWatch": True,
    "Logs": any(one["Type"] == "AWS::Logs::LogGroup" for one in RESOURCES.values()),
    "Metrics": "POWERTOOLS_METRICS_NAMESPACE" in TEMPLATE["Globals"]["Function"]["Environment"]["Variables"],
    "Alarms": any(one["Type"] == "AWS::CloudWatch::Alarm" for one in RESOURCES.values()),
}


def test_it_is_well_formed_and_says_what_it_shows_to_who_cannot_see_it():
    root = ElementTree.fromstring(TEXT)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root.get("aria-labelledby").split() == [root.find(f"{SVG}{name}").get("id") for name in ("title", "desc")]
    assert all(len(root.find(f"{SVG}{name}").text) > 20 for name in ("title", "desc"))


def test_it_runs_nothing_and_asks_nobody_for_anything():
    assert foreign(TEXT) == []


def test_every_colour_is_there_for_light_and_for_dark():
    light, dark = STYLE.split("@media (prefers-color-scheme: dark)")
    defined = [re.findall(r"(--\w+): #[0-9a-f]{6}", part) for part in (light, dark)]
    assert defined[0] == defined[1]
    assert set(defined[0]) == set(re.findall(r"var\((--\w+)\)", STYLE))
    assert len(re.findall(r"#[0-9a-f]{6}\b", TEXT)) == 2 * len(defined[0])  # and no colour is anywhere else


def test_no_text_runs_out_of_its_box_or_into_another():
    assert collisions(TEXT) == []


def test_every_name_is_that_of_a_resource_or_true_otherwise():
    names = {found.words for found in texts(TEXT) if found.is_name}
    assert {"Api", "ApiFunction", "HookFunction", "ReleasedFunction", "Bucket", "Topic", "Dashboard"} <= names
    for name in names:
        assert name in RESOURCES or OTHERS.get(name), name
    assert OTHERS.keys() <= names, "these are not in the picture any more"


def test_the_alias_that_is_drawn_is_that_of_each_function():
    functions = [RESOURCES[f"{name}Function"]["Properties"] for name in ("Api", "Plan", "Batch", "Finish")]
    assert {one["AutoPublishAlias"] for one in functions} == {"live"} <= WORDS
    assert functions[0]["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert "version N+1, SnapStart" in WORDS


def test_the_deployment_goes_as_it_is_drawn():
    hooks = RESOURCES["ApiFunction"]["Properties"]["DeploymentPreference"]["Hooks"]
    assert hooks == {"PreTraffic": "HookFunction", "PostTraffic": "ReleasedFunction"}
    assert PARAMETERS["DeploymentType"]["Default"] == "Canary10Percent5Minutes"
    assert {"10% for 5 min,", "90%", "10%"} <= WORDS


def test_the_evening_goes_as_it_is_drawn():
    assert PARAMETERS["ScheduleExpression"]["Default"] == "cron(30 18 ? * MON-FRI *)"
    assert PARAMETERS["MaxConcurrency"]["Default"] == 100
    assert RESOURCES["MissedStarts"]["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert STATES["Forecast shards"]["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
    assert {"Mon–Fri, 18:30", "100 at once", "queue, 14 days", "Distributed Map"} <= WORDS


def test_the_folders_of_the_bucket_are_those_that_roles_may_use():
    drawn = {words for words in WORDS if words.endswith("/")}
    roles = json.dumps([one for one in RESOURCES.values() if one["Type"] == "AWS::IAM::Role"])
    used = set(re.findall(r"\$\{Bucket\.Arn\}/(\w+/)", roles)) | {PARAMETERS["PricesPrefix"]["Default"]}
    assert drawn == used
    rules = RESOURCES["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert [rule["ExpirationInDays"] for rule in rules if rule.get("Prefix") == "work/"] == [7]
    assert "for 7 days" in WORDS
    assert RESOURCES["Bucket"]["DeletionPolicy"] == "RetainExceptOnCreate"


def test_who_is_told_is_who_is_drawn():
    assert "with TopicKey" in WORDS
    assert RESOURCES["Topic"]["Properties"]["KmsMasterKeyId"] == "TopicKey"
    assert RESOURCES["AlarmSubscription"]["Properties"]["Endpoint"] == "AlarmEmail"
    assert "to AlarmEmail" in WORDS
    assert STATES["Notify"]["Parameters"]["TopicArn"] == "${Topic}"
