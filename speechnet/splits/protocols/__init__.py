"""Named protocols: published folds of a corpus, and the results they were published with."""

from speechnet.splits.protocols.files import load_protocol, named_protocols
from speechnet.splits.protocols.protocol import Protocol, Reference

__all__ = ["Protocol", "Reference", "load_protocol", "named_protocols"]
