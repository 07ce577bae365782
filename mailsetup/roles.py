"""Which part each source's answer played in the choice: why it won, lost or was refused, and who disagrees. Pure.

The order of the reports never changes a role: the strongest evidence of a setting is what ``ranking`` put first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .model import Candidate, Protocol, Role, Security, SourceReport
from .ranking import Disagreement, Ranking


def assign(reports: Iterable[SourceReport], ranking: Ranking) -> tuple[SourceReport, ...]:
    """``reports`` in their order, each that named settings with its role in ``ranking``, which was made from them.

    Each also tells for which protocols its source disagrees with the best server that is recommended.
    """
    recommended = {candidate.endpoint.key: candidate for candidate in ranking.incoming + ranking.outgoing}
    others = {candidate.endpoint.key: candidate for candidate in ranking.others}
    return tuple(
        report._replace(
            role=_role(report.candidates, recommended, others), disagrees=_disagrees(report, ranking.conflicts)
        )
        if report.candidates
        else report
        for report in reports
    )


def _disagrees(report: SourceReport, conflicts: Sequence[Disagreement]) -> tuple[Protocol, ...]:
    usable = (c.endpoint for c in report.candidates if c.endpoint.security is not Security.PLAIN)
    named = {endpoint.protocol for endpoint in usable}
    return tuple(c.protocol for c in conflicts if c.protocol in named and report.source in c.others)


_Ranked = dict[tuple[str, str, int, str], Candidate]


def _role(named: Sequence[Candidate], recommended: _Ranked, others: _Ranked) -> Role:
    """The best that became of any of the settings that a source ``named``."""
    chosen = [(candidate, recommended[key]) for candidate in named if (key := candidate.endpoint.key) in recommended]
    if any(candidate.evidence[0] == ranked.evidence[0] for candidate, ranked in chosen):
        return Role.WON
    if chosen:
        return Role.CONFIRMED
    rest = [others[key] for candidate in named if (key := candidate.endpoint.key) in others]
    if not rest:
        return Role.NOT_ASKED_FOR
    usable = [candidate for candidate in rest if candidate.endpoint.security is not Security.PLAIN]
    if not usable:
        return Role.PLAINTEXT
    # Only what would have been recommended is connected to, so it was the connection that decided.
    return Role.DISPROVED if any(candidate.verified is False for candidate in usable) else Role.OUTRANKED
