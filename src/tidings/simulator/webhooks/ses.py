"""SES's event publishing.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from datetime import timedelta
from typing import Any

from tidings.simulator.webhooks.events import Event, zulu

_MTA = "a8-50.smtp-out.amazonses.com"


def ses_event(event: Event) -> dict[str, Any]:
    """The message of a notification."""
    kind, details = _details(event)
    # The name of the object is that of the event, but for its first letter.
    return {"eventType": kind, "mail": _mail(event), f"{kind[0].lower()}{kind[1:]}": details}


def _mail(event: Event) -> dict[str, Any]:
    email = event.email
    common = {
        "from": [email.sender],
        "to": list(email.recipients),
        "messageId": email.reference,
        "subject": email.subject,
    }
    return {
        "timestamp": zulu(email.taken_at),
        "messageId": email.reference,
        "source": email.sender,
        "sourceArn": "arn:aws:ses:us-east-1:000000000000:identity/simulator.tidings.test",
        "sendingAccountId": "000000000000",
        "destination": list(email.recipients),
        "headersTruncated": False,
        "headers": [
            {"name": "From", "value": email.sender},
            {"name": "To", "value": ", ".join(email.recipients)},
            {"name": "Subject", "value": email.subject},
            {"name": "Message-ID", "value": email.message_id},
        ],
        "commonHeaders": common,
        "tags": {name: [value] for name, value in email.custom.items()},
    }


def _details(event: Event) -> tuple[str, dict[str, Any]]:
    moment = zulu(event.at)
    match event.kind:
        case "accepted":
            return "Send", {}
        case "delivered":
            return "Delivery", {
                "timestamp": moment,
                "processingTimeMillis": 1000,
                "recipients": [event.recipient],
                "smtpResponse": "250 2.0.0 OK",
                "reportingMTA": _MTA,
            }
        case "deferred":
            return "DeliveryDelay", {
                "timestamp": moment,
                "delayType": "TransientCommunicationFailure",
                "expirationTime": zulu(event.at + timedelta(hours=14)),
                "delayedRecipients": [
                    {
                        "emailAddress": event.recipient,
                        "status": "4.4.1",
                        "diagnosticCode": "smtp; 451 4.4.1 Unable to connect",
                    }
                ],
            }
        case "complained":
            return "Complaint", {
                "complainedRecipients": [{"emailAddress": event.recipient}],
                "timestamp": moment,
                "feedbackId": f"{event.id}-000000",
                "userAgent": "Tidings simulator",
                "complaintFeedbackType": "abuse",
                "arrivalDate": moment,
            }
        case "bounced":
            return "Bounce", _bounce(event, "Permanent", "General", "5.1.1", "550 5.1.1 user unknown")
        case "soft_bounced":
            return "Bounce", _bounce(event, "Transient", "MailboxFull", "4.2.2", "452 4.2.2 mailbox full")


def _bounce(event: Event, kind: str, sub_kind: str, status: str, reply: str) -> dict[str, Any]:
    return {
        "feedbackId": f"{event.id}-000000",
        "bounceType": kind,
        "bounceSubType": sub_kind,
        "bouncedRecipients": [
            {
                "emailAddress": event.recipient,
                "action": "failed",
                "status": status,
                "diagnosticCode": f"smtp; {reply}",
            }
        ],
        "timestamp": zulu(event.at),
        "reportingMTA": f"dns; {_MTA}",
    }
