"""Send through GatewayAPI once, and keep what its signed webhooks say.

Nothing is imported here: a function's cold start pays only for the modules that it names.
"""
