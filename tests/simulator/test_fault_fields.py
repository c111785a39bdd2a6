"""The simulator reads a request for a fault, or refuses it with a reason."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.control_bodies import ControlError, validated
from simulator.faults import KINDS, Fault, Faults
from simulator.submission import Target


def test_the_same_seed_applies_a_fault_to_the_same_requests() -> None:
    def applied(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add([Fault(kind="429", count=None, probability=0.5)])
        return [bool(faults.for_request([Target("a", 1)], valid=True)) for _ in range(200)]

    assert applied(1) == applied(1) != applied(2)
    assert 50 < sum(applied(1)) < 150


@pytest.mark.parametrize(
    "fault_request",
    [
        [],
        {},
        {"kind": "earthquake"},
        {"kind": "429", "seconds": "2"},
        {"kind": "429", "count": True},
        {"kind": "429", "count": -1},
        {"kind": "429", "when": "after"},
        {"kind": "hang", "when": "later"},
        {"kind": "429", "probability": 1.5},
        {"kind": "429", "proability": 1},
        {"kind": "422", "indexes": ["0"]},
        {"kind": "422", "references": "bad"},
        {"kind": "status", "status": 42},
    ],
)
def test_an_invalid_request_for_a_fault_is_refused(fault_request: object) -> None:
    with pytest.raises(ControlError):
        validated(Fault, fault_request)


@given(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(list(KINDS)) | st.text(max_size=3)},
        optional={
            name: st.none() | st.integers(-1, 600) | st.floats() | st.text(max_size=6) | st.lists(st.integers())
            for name in Fault.model_fields
            if name != "kind"
        },
    )
)
def test_any_request_for_a_fault_is_read_or_refused(fault_request: dict[str, Any]) -> None:
    try:
        fault = validated(Fault, fault_request)
    except ControlError:
        return
    assert fault.kind == fault_request["kind"]
