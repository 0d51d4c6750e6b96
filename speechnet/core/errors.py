"""The errors that a user can cause or meet, each with its exit code."""


class SpeechnetError(Exception):
    """Base of all errors raised on purpose: found, expected, remedy."""

    exit_code = 1


def in_words(error: Exception) -> str:
    """What an error says, behind its type unless it was raised on purpose."""
    return str(error) if isinstance(error, SpeechnetError) else f"{type(error).__name__}: {error}"


class ConfigError(SpeechnetError):
    """The configuration or the command line is wrong."""

    exit_code = 2


class DataError(SpeechnetError):
    """The corpus, a recording or a run folder can't be used as it is."""

    exit_code = 3


class StorageError(SpeechnetError):
    """There is no space left or no permission to write."""

    exit_code = 4


class Excluded(SpeechnetError):  # noqa: N818 - an outcome for one file, not a failure
    """One recording can't be used; the run goes on without it.

    Attributes:
        reason: a code of ``speechnet.core.types.REASONS``, as in ``excluded.csv``.
        detail: what was found and what was expected.
    """

    exit_code = 3

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["Excluded"], tuple[str, str]]:
        """Pickle ``detail`` too, which the default would lose."""
        return Excluded, (self.reason, self.detail)
