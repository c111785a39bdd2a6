"""What a local deployment changes in the built template."""

from samcli.yamlhelper import yaml_parse  # type: ignore[import-untyped] # it has no types

from local.sam import without_metric_math
from tests.stack.template import PROJECT, read


def test_the_local_template_has_everything_but_the_alarm_with_metric_math() -> None:
    path = PROJECT / "template.yaml"
    expected = read(path)
    del expected["Resources"]["WebhookSilentAlarm"]
    assert yaml_parse(without_metric_math(path.read_text())) == expected
