"""`deltatrain plan`: every policy with its prediction, and mistakes in one line."""

from __future__ import annotations

import json

import pytest

from deltatrain.workloads.lowering.checkpoint.policies import POLICIES


def test_the_command_prints_every_policy_and_says_predicted(deltatrain):
    ran = deltatrain("plan", "--workload", "tiny", "--on", "edge", "--steps", 50)
    assert ran.status == 0 and "Predicted, not simulated" in ran.stdout and "Recommended: store_all" in ran.stdout
    assert all(name in ran.stdout for name in POLICIES.names())
    told = json.loads(deltatrain("plan", "--workload", "tiny", "--steps", 50, "--json").stdout)
    assert told["recommended"] == "store_all" and len(told["policies"]) == len(POLICIES.names())


def test_a_data_set_is_planned_for_with_its_own_sizes(deltatrain, few):
    told = json.loads(deltatrain("plan", "--workload", few, "--json").stdout)
    assert told["steps"] == 6  # the longest of the recordings


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--workload", "tiny", "--steps", 0), "steps must be 1 to"),
        ((), "either a trace file or --workload"),
        (("--workload", "tiny", "--occupancy", 2), "occupancy must be 0 to 1"),
        (("--workload", "tiny", "--set", "machine.local.bytes=9000"), "too small"),
    ],
)
def test_a_mistake_is_one_line(deltatrain, words, fault):
    ran = deltatrain("plan", *words)
    assert ran.status == 2 and fault in ran.stderr and ran.stderr.count("\n") == 1 and ran.stdout == ""
