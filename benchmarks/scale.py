"""How many messages a second one stack can send, calculated from measured processor times and AWS's documentation.

An invocation takes its processor time, divided by its share of a processor, and the time that it waits for DynamoDB
and the provider. These waiting times are assumptions, which the document names.
"""

from collections.abc import Mapping

from benchmarks.report import table

MEMORY_MB = 512  # the template's default
# This much memory gives one processor, less memory a part of one. Source:
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
CORE_MB = 1769
TABLE_S = 0.010  # a transaction, from call to response
PROVIDER_S = 0.100  # a request
CONCURRENCIES = (2, 5, 50, 200)  # 5 is the default MaximumConcurrency
WEBHOOKS = 500  # a second: the default WebhookRate


def rates(batches_s: Mapping[int, float], webhook_cpu_s: float) -> str:
    """Return the tables of rates, from the processor seconds of a batch of each size, and of a webhook."""
    head = (
        "messages in a batch",
        "an invocation",
        *(f"messages a second, {count} invocations" for count in CONCURRENCIES),
    )
    rows = []
    for size, cpu_s in batches_s.items():
        invocation_s = _stretched(cpu_s) + 2 * TABLE_S + PROVIDER_S  # a claim, a request and a result
        rows.append(
            (
                str(size),
                f"{1000 * invocation_s:.0f} ms",
                *(f"{count * size / invocation_s:,.0f}" for count in CONCURRENCIES),
            )
        )
    invocation_s = _stretched(webhook_cpu_s) + TABLE_S
    webhooks = (
        f"A webhook takes {1000 * invocation_s:.0f} ms. So one instance handles {1 / invocation_s:.0f} webhooks a"
        f" second, and {WEBHOOKS:,} webhooks a second need {WEBHOOKS * invocation_s:.0f} concurrent instances."
    )
    return f"{table(head, rows)}\n\n{webhooks}"


def _stretched(cpu_s: float) -> float:
    return cpu_s * CORE_MB / MEMORY_MB
