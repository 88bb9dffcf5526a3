"""The client's metrics: `integration_requests_total`, `integration_errors_total`, `integration_request_duration_seconds`.

    from storycore import metrics

    metrics.enable()
    ...
    for metric in metrics.snapshot():
        print(metric["name"], metric["labels"], metric["count"])

Nothing is counted before `enable()`. A process has one set of metrics, over all of its clients.
"""

from ._storycore import enable_metrics as enable
from ._storycore import metrics_snapshot as snapshot

__all__ = ["enable", "snapshot"]
