"""The dashboard's picture shows what CloudWatch would: its lines by name, each with its own statistic."""

import json
import re
from html import escape
from typing import Any

import pytest

from local.chart import Line, buckets, draw, lines
from tests.unit.template import RESOURCES

BODY = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
WIDGETS: list[dict[str, Any]] = json.loads(BODY)["widgets"]
COUNT = ("GatewayApi", "MessageAccepted", "sms-sender")


def test_dots_stand_for_what_is_above() -> None:
    metrics = [
        ["AWS/SQS", "Visible", "QueueName", "main", {"label": "queue"}],
        ["...", "urgent"],
        [".", "Hidden", ".", "main", {"stat": "p95"}],
    ]
    assert lines({"stat": "Maximum", "metrics": metrics}) == [
        Line("queue", ("AWS/SQS", "Visible", "main"), "Maximum"),
        Line("Visible", ("AWS/SQS", "Visible", "urgent"), "Maximum"),
        Line("Hidden p95", ("AWS/SQS", "Hidden", "main"), "p95"),
    ]


@pytest.mark.parametrize(("stat", "value"), [("Sum", 6), ("Maximum", 3), ("p50", 2)])
def test_a_point_is_the_statistic_of_its_bucket(stat: str, value: float) -> None:
    samples = {COUNT: [(0.0, 1.0), (4.9, 2.0), (1.0, 3.0), (12.0, 7.0)]}
    assert buckets(Line("accepted", COUNT, stat), samples, 5) == [(2.5, value), (12.5, 7)]


def test_every_widget_of_the_template_is_drawn_with_all_its_lines() -> None:
    picture = draw(WIDGETS, {}, 120, 5)
    assert picture.count("nothing in this run") == len(WIDGETS) == 9
    for widget in WIDGETS:
        assert f">{widget['properties']['title']}<" in picture
        assert all(f">{escape(line.name)}<" in picture for line in lines(widget["properties"]))


def test_a_line_ends_where_there_is_nothing() -> None:
    (widget,) = [it for it in WIDGETS if "Is it sending" in it["properties"]["title"]]
    (metric, *_) = (line.metric for line in lines(widget["properties"]))
    near, far = [(1.0, 2.0), (6.0, 4.0)], [(1.0, 2.0), (60.0, 4.0)]
    drawn = [draw([widget], {metric: points}, 120, 5) for points in (near, far)]
    assert [len(re.findall(r'stroke-width="1.5"', picture)) for picture in drawn] == [1, 0]
    assert [picture.count("<circle") for picture in drawn] == [2, 2]
