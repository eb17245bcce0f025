"""The audit trail: searched, exported, verified."""
