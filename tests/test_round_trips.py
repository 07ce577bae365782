"""On a slow network a lookup takes as long as the questions that must wait for one another, and hardly longer.

Real servers of the laboratory, each a fixed round trip away.
"""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

import pytest

from clock import Stopwatch, slowness
from distance import DistantLoop
from lab import Lab
from mailsetup import api
from mailsetup.model import NetworkOptions, Status
from relay import Relay

pytestmark = pytest.mark.alone
ROUND_TRIP_S = 0.15
TOLERANCE = 1.2  # of the longest chain
ATTEMPTS = 3  # other programs use this machine, too

NAME = 1  # one question to the name server
REQUEST = 3  # TCP, TLS 1.3, and a request with its answer
PAGE = NAME + REQUEST
# From the name of a mail server to its verdict, whatever has the most steps: POP3 and SMTP over TLS have a greeting and
# a question after TCP and TLS; SMTP with STARTTLS greets while TCP connects, but asks twice.
TLS_SERVER = NAME + 4
STARTTLS_SERVER = NAME + 5


class Chain(NamedTuple):
    """The questions about a domain that must wait for one another."""

    domain: str
    round_trips: int
    status: Status = Status.FOUND


CHAINS = (
    Chain("autoconf.test", PAGE + STARTTLS_SERVER),
    # Another place is asked for longer, but nothing that it says could change the answer.
    Chain("example.test", PAGE + STARTTLS_SERVER),
    Chain("pacc.test", NAME + PAGE + TLS_SERVER),
    Chain("redirect.test", PAGE + PAGE + TLS_SERVER),
    # Two people who do not exist, one after the other: the second is asked about only if there is an answer.
    Chain("outlook.test", PAGE + REQUEST + STARTTLS_SERVER),
    # The public database counts for more than SRV, and has to say no first. So it is with all that follow.
    Chain("srvonly.test", PAGE + STARTTLS_SERVER),
    Chain("customer.test", NAME + PAGE + STARTTLS_SERVER),
    Chain("guess.test", PAGE + NAME + TLS_SERVER - NAME),
    Chain("empty.test", PAGE + NAME, Status.NOTHING),
)


def wall_s(chain: Chain, lab: Lab, nameserver: str = "") -> tuple[float, float]:
    """How long a lookup takes when every server is ``ROUND_TRIP_S`` away, without what others took, and with it."""
    options = NetworkOptions(nameservers=(nameserver or lab.nameserver,), ca_file=str(lab.ca_file), allow_private=True)
    with asyncio.Runner(loop_factory=lambda: DistantLoop(ROUND_TRIP_S)) as runner:
        watch, started = Stopwatch(), time.monotonic()
        answer = runner.run(api.lookup_async(f"fred@{chain.domain}", options=options))
        elapsed_s = watch.elapsed_s(), time.monotonic() - started
    assert answer.status is chain.status
    return elapsed_s


@pytest.fixture(scope="module", autouse=True)
def warm(lab: Lab) -> None:
    """Modules are loaded, and certificates read: that has nothing to do with the network."""
    wall_s(Chain("unknown.test", PAGE, Status.NOTHING), lab)


def compare(chain: Chain, lab: Lab, nameserver: str = "") -> None:
    """Measure until the time is within the tolerance, and print it."""
    needed_s = chain.round_trips * ROUND_TRIP_S
    measured: list[float] = []
    while len(measured) < ATTEMPTS and (not measured or min(measured) > TOLERANCE * needed_s):
        own_s, whole_s = wall_s(chain, lab, nameserver)
        assert whole_s >= needed_s  # nobody is faster than the chain: it has been counted right
        measured.append(own_s)
    print(f"{min(measured) / ROUND_TRIP_S:.1f} round trips, {chain.round_trips} needed")  # noqa: T201  # the figure
    in_time = min(measured) <= TOLERANCE * needed_s
    assert in_time or min(measured) <= needed_s * (1 + (TOLERANCE - 1) * slowness())


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.domain)
def test_a_lookup_takes_no_longer_than_its_longest_chain_of_questions(lab: Lab, chain: Chain) -> None:
    compare(chain, lab)


def test_a_weaker_source_that_is_dead_delays_nothing(lab: Lab) -> None:
    hole = lab.address("blackhole.example.test")
    with Relay(lab.nameserver, {("autodiscover.autoconf.test", "A"): [hole]}) as relay:
        compare(CHAINS[0], lab, relay.option)
