"""Stopping of a training run by a signal, on all processes at the same step."""

from __future__ import annotations

import signal
from typing import Any

import torch
from accelerate import Accelerator


class StopRequest:
    """A context manager that turns SIGTERM and Ctrl-C into a flag, so that the current step is finished and saved."""

    def __enter__(self) -> StopRequest:
        self.received = 0
        self._before = {number: signal.signal(number, self._receive) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _frame: Any) -> None:
        self.received = number

    def agreed(self, accelerator: Accelerator) -> bool:
        """Whether any process received a signal. All must stop at the same step, or the others would wait forever."""
        received = torch.tensor(float(self.received > 0), device=accelerator.device)
        return bool(accelerator.reduce(received, reduction="sum").item() > 0)
