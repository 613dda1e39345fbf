"""What becomes of an email after it was taken: providers' webhooks in, receipts applied.

A webhook is verified, read into receipts and published; one consumer applies them all, whoever they came
from (docs/decisions/0020-receipts.md).
"""
