"""An email as bytes (RFC 5322, MIME).

Written out here rather than with `email.message`, which takes every U+2028 for a line break, refuses
addresses with letters beyond ASCII, and takes many times as long. The tests prove the result against
the standard parser.
"""

from tidings.email.mime.builder import MimeBuilder, addresses, message_id
from tidings.kit.email_headers import ascii_address

__all__ = ["MimeBuilder", "addresses", "ascii_address", "message_id"]
