"""What may be spent, counted by the server that is asked."""

import json

import pytest
from llm_desk import CANARY, GOOD, City, OpenDesk

from agents.budget import BudgetSpent
from agents.llm.failures import LlmFailure
from agents.llm.meter import Limits, Meter, Spent
from agents.llm.settings import Price
from pipelines.errors import InputError

MESSAGES = [("user", "The capital of France?")]


def test_the_call_beyond_the_limit_never_leaves(desk: OpenDesk) -> None:
    with desk() as at:
        llm = at.llm(Limits(llm_calls=2))
        llm.ask(City, MESSAGES, "a")
        llm.ask(City, MESSAGES, "b")
        with pytest.raises(BudgetSpent, match="budget of 2 requests") as spent:
            llm.ask(City, MESSAGES, "c")
        assert (spent.value.what, spent.value.exit_code) == ("llm_calls", 5)
        assert len(at.server.requests) == len(at.egress) == len(at.exchanges) == 2


def test_requests_that_failed_count_too_retries_and_steps_down_among_them(desk: OpenDesk) -> None:
    with desk("server_error", "bad_request", "prose") as at:
        with pytest.raises(BudgetSpent):
            at.llm(Limits(llm_calls=3)).ask(City, MESSAGES, "a")
        assert len(at.server.requests) == 3


def test_no_call_at_all(desk: OpenDesk) -> None:
    with desk() as at:
        for ask in (
            lambda: at.llm(Limits(llm_calls=0)).ask(City, MESSAGES, "a"),
            lambda: at.llm(Limits(llm_calls=0)).say(MESSAGES, "b"),
        ):
            with pytest.raises(BudgetSpent):
                ask()
        assert at.server.requests == []
        assert not (at.run / "llm.jsonl").exists()


def test_the_limit_outlives_the_process(desk: OpenDesk) -> None:
    with desk() as at:
        at.llm(Limits(llm_calls=1)).ask(City, MESSAGES, "a")
        with pytest.raises(BudgetSpent):
            at.llm(Limits(llm_calls=1)).say(MESSAGES, "b")
        at.llm(Limits(llm_calls=2)).say(MESSAGES, "b")
        assert len(at.server.requests) == 2


def test_tokens_are_the_servers_and_a_call_that_could_go_over_stays(desk: OpenDesk) -> None:
    with desk() as at:
        llm = at.llm(Limits(tokens=600), max_tokens=300)
        llm.ask(City, MESSAGES, "a")
        (exchange,) = at.exchanges
        assert (exchange.tokens_in, exchange.tokens_out, exchange.estimated) == (11, 7, False)
        with pytest.raises(BudgetSpent, match="300 tokens"):
            at.llm(Limits(tokens=300), max_tokens=300).ask(City, MESSAGES, "b")
        llm.ask(City, MESSAGES, "b")
        assert Meter(Limits(), at.log).spent == Spent(llm_calls=2, tokens=36)


@pytest.mark.parametrize("mode", ["no_usage", "null_usage_counts"])
def test_tokens_that_nobody_counted_are_estimated_and_marked(desk: OpenDesk, mode: str) -> None:
    with desk(mode) as at:
        at.ask()
        (exchange,) = at.exchanges
        assert exchange.estimated
        assert exchange.tokens_in == -(-len(at.server.requests[0].body) // 3)
        assert exchange.tokens_out == 13  # 38 bytes of answer


def test_money_is_counted_by_the_price(desk: OpenDesk) -> None:
    prices = {"m": {"input": 1000.0, "output": 2000.0}}
    with desk() as at:
        at.ask(prices=prices)
        assert at.exchanges[0].money == pytest.approx(11e-3 + 14e-3)
        with pytest.raises(BudgetSpent, match=r"0\.03 US dollars"):
            at.llm(Limits(money=0.03), prices=prices, max_tokens=5).ask(City, MESSAGES, "b")
        assert len(at.server.requests) == 1


def test_a_limit_of_money_needs_a_price(desk: OpenDesk) -> None:
    with desk() as at, pytest.raises(InputError, match="nobody said what the model costs"):
        Meter(Limits(money=1.0), at.log)


def test_a_server_on_this_machine_costs_nothing(desk: OpenDesk) -> None:
    with desk() as at:
        at.llm(Limits(money=0.0)).ask(City, MESSAGES, "a")
        assert at.exchanges[0].money == 0.0


def test_what_was_turned_away_cost_nothing_and_what_took_too_long_its_prompt(
    desk: OpenDesk,
) -> None:
    with desk("auth", "hang", "hang") as at:
        at.fails()
        at.fails(timeout_seconds=0.2)
        turned_away, slow, _ = at.exchanges
        assert (turned_away.tokens_in, turned_away.tokens_out) == (0, 0)
        assert slow.tokens_in > 50
        assert slow.estimated


def test_a_price_for_a_million_tokens() -> None:
    assert Price(input=0.15, output=0.6).of(2_000_000, 500_000) == pytest.approx(0.6)


def test_a_request_in_flight_when_the_process_is_killed_is_counted(desk: OpenDesk) -> None:
    """What is on disk while the server has the request is what a kill would leave."""
    on_disk: list[bytes] = []

    def reply(request: dict[str, object]) -> str:
        on_disk.append((at.run / "llm.jsonl").read_bytes())
        return GOOD

    with desk(reply=reply) as at:
        at.ask("a")
        (at.run / "llm.jsonl").write_bytes(on_disk[0])
        (exchange,) = at.exchanges
        assert (exchange.fault, exchange.answer) == ("unanswered", None)
        with pytest.raises(BudgetSpent):
            at.llm(Limits(llm_calls=1)).ask(City, MESSAGES, "a")
        assert at.llm(Limits(llm_calls=2)).ask(City, MESSAGES, "a").city == "Paris"
        assert [(e.number, e.attempt) for e in at.exchanges] == [(0, 1), (1, 2)]


def test_a_failure_is_still_one_line_of_the_log_each(desk: OpenDesk) -> None:
    with desk("server_error") as at:
        at.ask()
        lines = [json.loads(line) for line in (at.run / "llm.jsonl").read_text().splitlines()]
        assert [(line["number"], line["fault"]) for line in lines] == [
            (0, "unanswered"),
            (0, "server_error"),
            (1, "unanswered"),
            (1, None),
        ]
        assert CANARY not in (at.run / "llm.jsonl").read_text()


def test_the_failure_carries_its_name(desk: OpenDesk) -> None:
    with desk("forbidden") as at, pytest.raises(LlmFailure) as failed:
        at.ask()
    assert (failed.value.fault, failed.value.exit_code) == ("forbidden", 1)
