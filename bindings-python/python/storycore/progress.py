"""An upload's progress as a bar, by tqdm or rich, whichever is installed.

    from storycore.progress import tqdm_bar

    with tqdm_bar() as bar:
        client.media.upload("clip.mp4", progress=bar)

A bar is a plain function of ``storycore.Progress``; one's own is as good. tqdm and rich are imported when a bar is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import rich.progress

    from storycore import Progress

__all__ = ["rich_bar", "tqdm_bar"]


@contextmanager
def tqdm_bar(description: str | None = None, **options: Any) -> Iterator[Callable[[Progress], None]]:
    """A bar of tqdm, in a terminal or a notebook.

    Args:
        description: What stands before it.
        options: Further arguments of ``tqdm``.
    """
    from tqdm.auto import tqdm

    options = {"unit": "B", "unit_scale": True, "unit_divisor": 1024, "desc": description, **options}
    with tqdm(total=None, **options) as bar:

        def show(progress: Progress) -> None:
            bar.total = progress.total
            # Less than before where bytes have to be sent again.
            bar.update(progress.sent - bar.n)

        yield show


@contextmanager
def rich_bar(
    description: str = "", *, progress: rich.progress.Progress | None = None
) -> Iterator[Callable[[Progress], None]]:
    """A bar of rich; several may share one display.

    Args:
        description: What stands before it.
        progress: The display to put it into, which is started already. Without it one is made for this bar alone.
    """
    from rich import progress as bars

    def show_in(display: rich.progress.Progress) -> Callable[[Progress], None]:
        task = display.add_task(description, total=None)
        return lambda now: display.update(task, total=now.total, completed=now.sent)

    if progress is not None:
        yield show_in(progress)
        return
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.DownloadColumn(binary_units=True),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns) as display:
        yield show_in(display)
