"""Print template.yaml as the CloudFormation that SAM makes of it, so that cfn-lint and tests see what is deployed.

Run with the Python of .venv-sam. Nothing is asked of AWS.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import boto3
from samcli.yamlhelper import yaml_parse
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

REGION = "us-east-1"  # any will do: the translation only asks whether it is one of China's


def main() -> None:
    """Translate the template named on the command line; exits 1 with SAM's causes where it can't be."""
    template = yaml_parse(Path(sys.argv[1]).read_text(encoding="utf-8"))
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/package"  # as `sam package` would put it
        if resource["Type"] == "AWS::Serverless::StateMachine":
            resource["Properties"]["DefinitionUri"] = "s3://bucket/definition"  # likewise
    try:
        translated = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION)).translate(template, {})
    except InvalidDocumentException as error:
        sys.exit("\n".join(cause.message for cause in error.causes))
    print(json.dumps(translated, indent=1))


if __name__ == "__main__":
    main()
