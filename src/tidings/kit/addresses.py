"""Email addresses: which ones there can be, and their normal form."""

from email_validator import EmailNotValidError, validate_email

SANDBOX_DOMAIN = "simulator.tidings.test"
"""Whoever lives here never gets real mail: what is sent here plays a part (delivered, bounced, …)."""


def normal_email(address: str) -> str:
    """The address with its domain in lower case and Unicode NFC. It is not looked up.

    Raises:
        ValueError: it is no address; the text says why, for the caller.
    """
    # Names below `test` belong to nobody (RFC 6761), so they are refused, except for the sandbox's.
    pretended = address.lower().endswith(f"@{SANDBOX_DOMAIN}")
    try:
        return validate_email(address, check_deliverability=False, test_environment=pretended).normalized
    except EmailNotValidError as error:
        raise ValueError(f"{error} An example is 'ada@example.com'") from error
