"""GatewayAPI on this machine: its sending API, its webhooks and its faults, without sending an SMS."""
