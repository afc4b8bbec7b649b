"""Plans of faults: their contents, the errors about mistakes, and that the same seed gives the same faults."""

from pathlib import Path
from typing import Any, get_args

import pytest

from norce_order_async.sandbox import READY, FaultPlan, FaultPlanError, FaultRule, Faults, ManualClock
from norce_order_async.sandbox.faults import (
    Delay,
    Fault,
    LimitConcurrency,
    LognormalDelay,
    LoseAnswer,
    Reset,
    Respond,
    UniformDelay,
    Window,
    plan_from_data,
    plan_of,
)
from norce_order_async.sandbox.faults.kinds import KINDS, Breaking, EndingKind

GET, PUT = "GetCheckoutOrder", "UpdateCheckoutOrderCart"


def met(faults: Faults, operation: str = GET, times: int = 1) -> list[list[str]]:
    """The faults of the next requests for an operation."""
    names: list[list[str]] = []
    for _ in range(times):
        with faults.meets(operation, operation.startswith("Get"), None) as one:
            names.append(one.names)
    return names


def playing(*rules: FaultRule, seed: int | None = None, clock: ManualClock | None = None) -> Faults:
    return Faults(clock or ManualClock(), plan=FaultPlan(rules, seed))


def hits(faults: Faults, times: int, operation: str = GET) -> list[int]:
    return [number for number, names in enumerate(met(faults, operation, times), 1) if names]


def test_every_record_of_a_fault_has_a_name_in_plans_and_an_ending_if_it_needs_one() -> None:
    assert {form for kind in KINDS.values() for form in kind.forms} == set(get_args(Fault))
    endings = [form for kind in KINDS.values() if isinstance(kind, EndingKind) for form in kind.forms]
    assert set(endings) == set(get_args(Breaking))


BAD: list[tuple[Any, str]] = [
    (None, "the plan: must be a mapping, not nothing"),
    ({}, "rules: must be a list, not nothing"),
    ({"rules": [], "sede": 1}, "sede: must be one of seed, rules"),
    ({"rules": [], "seed": "x"}, "seed: must be a whole number, not 'x'"),
    ({"rules": [3]}, "rules[0]: must be a mapping, not 3"),
    ({"rules": [{"share": 0.5}]}, "rules[0].fault: is required"),
    ({"rules": [{"fault": "nope"}]}, "rules[0].fault: must be one of delay, refuse-connection, "),
    ({"rules": [{"fault": {"answer": 503, "reset": "after"}}]}, "rules[0].fault: must be one of delay, "),
    ({"rules": [{"fault": {"answer": 200}}]}, "rules[0].fault.answer.status: must be between 400 and 599, not 200"),
    ({"rules": [{"fault": {"answer": {"retry_after": 1}}}]}, "rules[0].fault.answer.status: is required"),
    ({"rules": [{"fault": {"reset": "later"}}]}, "rules[0].fault.reset.when: must be before or after, not 'later'"),
    ({"rules": [{"fault": {"lose-answer": 1}}]}, "rules[0].fault.lose-answer: has no settings"),
    ({"rules": [{"fault": {"delay": {"low": 2, "high": 1}}}]}, "rules[0].fault.delay.high: must be between 2 and 3600"),
    ({"rules": [{"fault": {"delay": float("nan")}}]}, "rules[0].fault.delay.seconds: must be between 0 and 3600"),
    ({"rules": [{"fault": "drip"}, {"fault": "drip", "share": 3}]}, "rules[1].share: must be between 0 and 1, not 3"),
    ({"rules": [{"fault": "drip", "first": True}]}, "rules[0].first: must be a whole number, not True"),
    ({"rules": [{"fault": "drip", "on": "*"}]}, "rules[0].on: must be one of fault, operations, share"),
    ({"rules": [{"fault": "drip", "window": {"start": 1}}]}, "rules[0].window.length: is required"),
    ({"rules": [{"fault": "drip", "operations": []}]}, "rules[0].operations: must name at least one"),
    ({"rules": [{"fault": "drip", "operations": [1]}]}, "rules[0].operations: must be a word or a list of words"),
    (
        {"rules": [{"fault": "drip", "operations": "GetCheckoutOrdr"}]},
        "mean GetCheckoutOrder or GetCheckoutOrders?",
    ),
    ({"rules": [{"fault": "take-in", "operations": "writes"}]}, "rules[0].operations: take-in is for Update"),
    ({"rules": [{"fault": "refuse-connection", "operations": "reads"}]}, "comes before any request"),
    ({"rules": [{"fault": {"answer": {"status": 503, "retry_after": "window"}}}]}, "there is no window in this rule"),
    (
        {"rules": [{"fault": {"limit-concurrency": {"limit": 3, "schedule": [[3, 1], [2, 1]]}}}]},
        "rules[0].fault.limit-concurrency.schedule[1][0]: must be between 3",
    ),
    (
        {"rules": [{"fault": {"limit-concurrency": {"limit": 3, "schedule": [[3]]}}}]},
        "rules[0].fault.limit-concurrency.schedule: must be a list of pairs [seconds, limit]",
    ),
]


@pytest.mark.parametrize(("data", "text"), BAD, ids=[text[:50] for _, text in BAD])
def test_a_bad_plan_names_the_place_and_the_right_form(data: Any, text: str) -> None:
    with pytest.raises(FaultPlanError) as caught:
        plan_from_data(data)
    assert text in str(caught.value)


def test_plain_data_is_read_into_records() -> None:
    read = plan_from_data(
        {
            "seed": 7,
            "rules": [
                {"operations": ["reads", PUT], "share": 0.5, "fault": {"answer": 503}},
                {"operations": "writes", "every": 2, "first": 9, "after": 1, "fault": "lose-answer"},
                {"window": {"length": 2, "every": 5}, "fault": {"reset": "after"}},
                {"fault": {"delay": 0.5}},
                {"fault": {"delay": {"low": 0, "high": 1}}},
                {"fault": {"delay": {"median": 0.1}}},
                {"fault": {"limit-concurrency": {"limit": 8, "schedule": [[5, 2]]}}},
            ],
        }
    )
    assert read == FaultPlan(
        [
            FaultRule(Respond(503), ("reads", PUT), share=0.5),
            FaultRule(LoseAnswer(), "writes", every=2, first=9, after=1),
            FaultRule(Reset("after"), window=Window(2, every=5)),
            FaultRule(Delay(0.5)),
            FaultRule(UniformDelay(0, 1)),
            FaultRule(LognormalDelay(0.1)),
            FaultRule(LimitConcurrency(8, ((5, 2),))),
        ],
        seed=7,
    )


def test_a_plan_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("rules:\n  - operations: writes\n    fault: lose-answer\n", "utf-8")
    assert plan_of(str(file)) == plan_of(file) == FaultPlan([FaultRule(LoseAnswer(), "writes")])


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"rules: []\nseed: 1\nrules: []\n", r"plan\.yaml names 'rules' twice, the second time in line 3"),
        (b"rules:\n- fault: {delay: 1, delay: 2}\n", r"plan\.yaml names 'delay' twice, the second time in line 2"),
        (b"rules: [", r"plan\.yaml is not YAML in line 1: "),
        (b"rules:\n- fault: nope\n", r"plan\.yaml: rules\[0\]\.fault: must be one of"),
        (b"\xff\xfe\xff", "it is not UTF-8 text"),
        (None, "there is no plan and no file called .*; ready-made: flaky-network, "),
    ],
)
def test_a_file_that_is_not_a_plan(content: bytes | None, text: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(FaultPlanError, match=text):
        plan_of(file)


@pytest.mark.parametrize("name", READY)
def test_the_ready_made_plans_are_found_by_name(name: str) -> None:
    assert plan_of(name) is READY[name]


def test_shares_depend_on_the_seed_and_the_count_alone() -> None:
    rule = FaultRule(LoseAnswer(), share=0.2)
    first = hits(playing(rule, seed=1), 500)
    # Requests for another operation in between make no difference.
    mixed = playing(rule, seed=1)
    again: list[int] = []
    for number in range(1, 501):
        met(mixed, PUT, number % 3)
        again += [number] if met(mixed)[0] else []
    assert again == first
    assert hits(playing(rule, seed=2), 500) != first
    assert 70 <= len(first) <= 130


def test_lengths_of_delays_depend_on_the_seed() -> None:
    rules = (FaultRule(UniformDelay(0.1, 0.2)), FaultRule(LognormalDelay(0.1, sigma=2, at_most=0.3)))
    first = met(playing(*rules, seed=3), times=50)
    assert first == met(playing(*rules, seed=3), times=50)
    assert len({tuple(names) for names in first}) > 40
    with playing(*rules).meets(GET, True, None) as one:
        assert 0.1 < one.seconds <= 0.5


def test_counting() -> None:
    assert hits(playing(FaultRule(LoseAnswer(), every=3)), 10) == [3, 6, 9]
    assert hits(playing(FaultRule(LoseAnswer(), first=2)), 10) == [1, 2]
    assert hits(playing(FaultRule(LoseAnswer(), after=4, first=2)), 10) == [5, 6]
    assert hits(playing(FaultRule(LoseAnswer(), after=1, every=2, first=4)), 10) == [3, 5]


def test_which_operations() -> None:
    faults = playing(FaultRule(LoseAnswer(), "writes"))
    assert not met(faults)[0]
    assert met(faults, PUT)[0]
    faults.play(FaultPlan([FaultRule(LoseAnswer(), ("reads", "UpdateOrderPayment"))]))
    assert met(faults)[0]
    assert met(faults, "UpdateOrderPayment")[0]
    assert not met(faults, PUT)[0]


def test_windows_use_the_sandboxs_clock() -> None:
    clock = ManualClock()
    rule = FaultRule(Respond(503, retry_after="window"), window=Window(2, start=1, every=10))
    faults = playing(rule, clock=clock)
    seen: list[bool] = []
    for _ in range(14):
        seen.append(bool(met(faults)[0]))
        clock.advance(1)
    assert [second for second, hit in enumerate(seen) if hit] == [1, 2, 11, 12]
    faults.restart()
    clock.advance(1.5)
    with faults.meets(GET, True, None) as one:
        assert one.breaking == Respond(503, retry_after=1.5)


def test_delays_add_up_and_the_first_other_fault_is_played() -> None:
    faults = playing(FaultRule(Delay(1)), FaultRule(Delay(2)), FaultRule(Respond(500)), FaultRule(LoseAnswer()))
    with faults.meets(GET, True, None) as one:
        assert (one.seconds, one.breaking) == (3, Respond(500))
    assert [(played.operation, played.request, played.fault) for played in faults] == [
        (GET, 1, "delay 1.000 s"),
        (GET, 1, "delay 2.000 s"),
        (GET, 1, "answer 500"),
    ]
    assert faults[-1] is faults.of(GET)[2]
    assert faults[:1] == [faults[0]]
    assert not faults.of(PUT)


def test_a_plan_without_a_seed_takes_the_sandboxs() -> None:
    rules = [FaultRule(LoseAnswer(), share=0.5)]
    stories = [hits(Faults(ManualClock(), seed, FaultPlan(rules)), 50) for seed in (1, 2)]
    assert stories[0] != stories[1]
    assert stories[0] == hits(Faults(ManualClock(), 2, FaultPlan(rules, seed=1)), 50)


def test_a_plan_can_be_changed_stopped_and_started_again() -> None:
    faults = playing(FaultRule(LoseAnswer(), first=1))
    assert hits(faults, 2) == [1]
    faults.restart()
    assert len(faults) == 0
    assert hits(faults, 2) == [1]
    faults.play({"rules": [{"fault": "lose-answer", "after": 1}]})
    assert hits(faults, 2) == [2]
    with pytest.raises(FaultPlanError):
        faults.play({"rules": 3})
    assert hits(faults, 1) == [1], "the one before plays on"
    faults.stop()
    assert hits(faults, 5) == []
