"""The state machine: state only moves forward, in whatever order reports arrive."""

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.contracts.codes import Reason, Status

WAITING = [Status.ACCEPTED, Status.SCHEDULED, Status.QUEUED, Status.RETRYING, Status.PARKED]
SETTLED = [status for status in Status if status not in WAITING]
RECEIPTS = {
    (Status.SENT, Status.DELIVERED),
    (Status.SENT, Status.BOUNCED),
    (Status.DELIVERED, Status.BOUNCED),
    # What was sent although it was cancelled: docs/decisions/0030.
    (Status.CANCELLED, Status.SENT),
    (Status.CANCELLED, Status.DELIVERED),
    (Status.CANCELLED, Status.BOUNCED),
}
BACK_AND_FORTH = {Status.RETRYING, Status.PARKED}


def after(reports: list[Status]) -> list[Status]:
    """The states that a notification goes through while `reports` arrive."""
    states = [Status.ACCEPTED]
    for report in reports:
        if states[-1].can_become(report):
            states.append(report)
    return states


@pytest.mark.parametrize("status", Status)
def test_which_states_are_settled(status: Status) -> None:
    """What waits for something to happen is not settled; everything else is."""
    assert status.settled is (status in SETTLED)


@pytest.mark.parametrize(("present", "later"), list(product(SETTLED, Status)))
def test_a_settled_state_moves_by_receipts_only(present: Status, later: Status) -> None:
    """Once settled, only proof that it went out after all changes the state: the moves there are."""
    assert present.can_become(later) is ((present, later) in RECEIPTS)


@pytest.mark.parametrize(
    ("present", "reason"),
    [(Status.FAILED, Reason.OUTCOME_UNKNOWN), (Status.DEAD_LETTERED, Reason.ATTEMPTS_EXHAUSTED)],
)
@pytest.mark.parametrize("later", Status)
def test_a_receipt_corrects_what_was_given_up_unknown(present: Status, reason: Reason, later: Status) -> None:
    """What was given up without an answer moves when a receipt says that it arrived, or bounced."""
    assert present.can_become(later, reason) is (later in {Status.DELIVERED, Status.BOUNCED})
    assert not present.can_become(later, Reason.RENDER_FAILED)


@pytest.mark.parametrize(("present", "later"), list(product(WAITING, SETTLED)))
def test_what_waits_may_settle_in_any_way(present: Status, later: Status) -> None:
    """A final report is taken from every waiting state, for the ones between may be late."""
    assert present.can_become(later)


@pytest.mark.parametrize(("one", "other"), list(product(WAITING, WAITING)))
def test_waiting_states_have_one_direction(one: Status, other: Status) -> None:
    """Of two waiting states one comes after the other, except that retrying and parked take turns."""
    expected = 0 if one is other else 2 if {one, other} == BACK_AND_FORTH else 1
    assert one.can_become(other) + other.can_become(one) == expected


@given(st.lists(st.sampled_from(Status)))
def test_whatever_arrives_no_outcome_is_lost(reports: list[Status]) -> None:
    """The first final report settles it; after that the state stays settled and only proof moves it."""
    states = after(reports)
    settled = [state for state in states if state.settled]
    assert states[len(states) - len(settled) :] == settled
    assert settled[:1] == [report for report in reports if report.settled][:1]
    assert all(move in RECEIPTS for move in pairwise(settled))


@given(st.permutations([Status.QUEUED, Status.RETRYING, Status.SENT, Status.DELIVERED]))
def test_reports_out_of_order_never_undo_a_delivery(reports: list[Status]) -> None:
    """In whatever order the reports of one delivery arrive, the notification ends up as taken."""
    assert after(reports)[-1] in {Status.SENT, Status.DELIVERED}
