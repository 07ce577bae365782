"""The commands, one per file, each with a click command called ``command``; and what several of them share.

A command turns its options into one core call, gives the result to ``render`` and returns an exit code. It is imported
when it is called, so that an offline lookup does not pay for the options of all the others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from .. import api, render, text
from ..errors import InputError
from ..model import Lookup, NetworkOptions, Protocol, Status

if TYPE_CHECKING:
    from ..resolver import Resolver

# Name on the command line -> module in this folder.
COMMANDS = {
    "lookup": "lookup",
    "probe": "probe",
    "export": "export",
    "setup": "setup",
    "explain": "explain",
    "audit": "audit",
    "publish": "publish",
    "providers": "providers",
}

EXIT_OK, EXIT_NOTHING, EXIT_USAGE, EXIT_FAILED, EXIT_FAULT = 0, 1, 2, 3, 4
Result = TypeVar("Result")
Tell = Callable[[tuple[str, ...]], None]  # takes the names of the sources that are still being asked


def exit_code(answer: Lookup) -> int:
    """0 found, 1 nothing, 3 could not ask."""
    match answer.status:
        case Status.FOUND:
            return EXIT_OK
        case Status.FAILED:
            return EXIT_FAILED
        case _:
            return EXIT_NOTHING


def wanted_protocols(names: Iterable[str]) -> frozenset[Protocol]:
    """The protocols of ``--protocol``; all of them if it was not given."""
    return frozenset(Protocol(name) for name in names) or api.ALL_PROTOCOLS


def is_single(targets: Sequence[str]) -> bool:
    """Whether there is one target, which is answered by one object and may ask for a password."""
    return len(targets) == 1 and targets[0] != "-"


def shared_resolver(options: NetworkOptions) -> Callable[[], Resolver]:
    """A resolver for all targets, made when the first of them needs the network."""
    from functools import cache

    @cache
    def make() -> Resolver:
        from ..resolver import Resolver

        return Resolver.of(options)

    return make


def work_on(
    targets: Sequence[str],
    work: Callable[[str, Tell], Coroutine[Any, Any, Result]],
    show: Callable[[str, Result], int],
    jobs: int,
    *,
    as_json: bool,
) -> int:
    """Work on one target, or on several concurrently; the highest exit code of all."""
    from .. import eventloop

    if is_single(targets):
        target = targets[0]
        with render.progress(text.asking(target, ())) as show_progress:
            result = eventloop.run(work(target, lambda sources: show_progress(text.asking(target, sources))))
        return show(targets[0], result)
    return eventloop.run(_work_on_all(targets, work, show, jobs, as_json=as_json))


async def _work_on_all(
    targets: Sequence[str],
    work: Callable[[str, Tell], Awaitable[Result]],
    show: Callable[[str, Result], int],
    jobs: int,
    *,
    as_json: bool,
) -> int:
    from .. import bulk, piped

    async def guarded(target: str) -> Result | InputError:
        try:
            return await work(target, lambda _sources: None)
        except InputError as error:
            return error

    worst = EXIT_OK
    first = True
    items = (
        item for target in targets for item in (bulk.targets(piped.standard_input()) if target == "-" else [target])
    )
    async for target, result in bulk.ordered(items, guarded, jobs):
        if not as_json and not first:
            render.separator()
        first = False
        if isinstance(result, InputError):
            render.error(target, result, as_json=as_json)
            worst = max(worst, EXIT_USAGE)
        else:
            worst = max(worst, show(target, result))
    return worst
