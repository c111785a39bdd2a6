"""A simulator of GatewayAPI: its sending API, its webhooks, its faults, and a page to watch them. It sends no SMS."""
