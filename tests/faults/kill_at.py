"""`phusong` that dies as by kill -9 at one point of a decision's way: run this file as the command.

KILL_AT names the point, KILL_SIM the SIM whose decisions are deadly.
"""

import os
import signal
from collections.abc import Callable, Iterable

from phusong.collector.decision_reader import DecisionReader
from phusong.collector.decisions import DecisionBoard
from phusong.collector.intake import Intake
from phusong.dashboards.commands import main
from phusong.dashboards.service import Service
from phusong.kernels.frame import PayloadKind
from phusong.v1.enforcement_pb2 import AcknowledgeRequest, Decision, DecisionsSent


def die_of(payloads: Iterable[bytes]) -> None:
    """Die when one of these decisions is about the SIM."""
    sim = int(os.environ["KILL_SIM"])
    if any(Decision.FromString(payload).subscriber_key == sim for payload in payloads):
        os.kill(os.getpid(), signal.SIGKILL)


def die_before(owner: type, name: str, payloads: Callable[..., Iterable[bytes]]) -> None:
    """Die instead of calling a method, when what it is about to work on is deadly."""
    method = getattr(owner, name)

    def deadly(self, *arguments):
        die_of(payloads(self, *arguments))
        return method(self, *arguments)

    setattr(owner, name, deadly)


def die_after_commit(kind: int, payloads: Callable[[bytes], Iterable[bytes]]) -> None:
    """Die when something deadly of a kind is on disk."""
    send = Intake.send

    def send_and_die(self, route, payload):
        receipt = send(self, route, payload)
        if route.kind == kind:
            receipt.add_done_callback(lambda _: die_of(payloads(payload)))
        return receipt

    Intake.send = send_and_die


def at_positions(payload: bytes) -> Iterable[bytes]:
    message = DecisionsSent.FromString(payload)
    return [board_of[0].of(message.operator).after(p - 1, 1)[0] for p in message.positions]


def acknowledged(payload: bytes) -> Iterable[bytes]:
    for key in AcknowledgeRequest.FromString(payload).decision_keys:
        yield Decision(subscriber_key=int(key.split("/")[1])).SerializeToString()


board_of: list[DecisionBoard] = []
attach = DecisionBoard.attach
DecisionBoard.attach = lambda self, *a: (board_of.append(self), attach(self, *a))[1]

POINTS = {
    "decided, nothing on disk": lambda: die_before(
        Service, "_hear", lambda _, report: report.decisions
    ),
    "on disk, nobody told": lambda: die_before(
        DecisionBoard, "_deliver", lambda self, _: [one.payload for one in self._under_way]
    ),
    "sent, not noted": lambda: die_before(DecisionReader, "take", lambda self: [self.show()]),
    "sent and noted": lambda: die_after_commit(PayloadKind.DECISIONS_SENT, at_positions),
    "acknowledged, not answered": lambda: die_after_commit(
        PayloadKind.ACKNOWLEDGEMENT, acknowledged
    ),
}


if __name__ == "__main__":  # the verifier's process imports this file too
    POINTS[os.environ["KILL_AT"]]()
    main()
