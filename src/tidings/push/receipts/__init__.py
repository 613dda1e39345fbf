"""Receipts: what a push service that hands pushes on, as Expo does, says of them minutes later."""
