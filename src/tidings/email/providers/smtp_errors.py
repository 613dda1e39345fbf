"""The three ways in which an SMTP conversation fails."""

from tidings.email.providers.smtp_replies import Stage
from tidings.email.providers.smtp_wire import Reply


class SmtpError(Exception):
    """A conversation did not reach its end. The text says where and why."""

    stage: Stage


class ReplyRefused(SmtpError):
    """The server answered a command with 4yz or 5yz."""

    def __init__(self, stage: Stage, reply: Reply) -> None:
        super().__init__(f"{reply} (at {stage.name.lower()})")
        self.stage = stage
        self.reply = reply


class ConversationLost(SmtpError):
    """The server could not be reached, fell silent, hung up or spoke something else than SMTP."""

    def __init__(self, stage: Stage, words: str) -> None:
        super().__init__(f"{words} (at {stage.name.lower()})")
        self.stage = stage


class OperatorNeeded(SmtpError):
    """The server is not one to trust, or does not let us in: waiting changes nothing."""

    stage = Stage.LOGIN
