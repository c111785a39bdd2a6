"""Send each SMS through GatewayAPI once, and store the signed webhooks.

Nothing is imported here, so that a cold start loads only the modules that the function uses.
"""
