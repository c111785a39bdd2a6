"""Run a command. An expected error becomes one plain sentence and an exit code. Only a bug prints a traceback."""

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

FAILED, MISUSED = 1, 2
INTERRUPTED, PIPE_CLOSED = 130, 141  # as a shell reports SIGINT and SIGPIPE
FIRST_EXPORT = "For the stack of `make local`, first run the line that it prints."
DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}


class CommandError(Exception):
    """A command cannot do what it was asked for; the text is for the person who typed it."""

    def __init__(self, text: str, exit_code: int = FAILED) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def run(command: Callable[[], int]) -> NoReturn:
    """Run a command and exit with its code."""
    try:
        code = command()
        sys.stdout.flush()
    except (CommandError, TimeoutError) as error:
        print(error, file=sys.stderr)
        code = error.exit_code if isinstance(error, CommandError) else FAILED
    except (ClientError, BotoCoreError) as error:
        print(explained(error), file=sys.stderr)
        code = FAILED
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader, such as `head`, has gone. Without this, Python's own last flush would fail as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = PIPE_CLOSED
    sys.exit(code)


def explained(error: ClientError | BotoCoreError) -> str:
    """Return what is wrong between this machine and AWS, and what to do about it."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    match error:
        case exceptions.NoRegionError():
            return f"No AWS region is set. Set AWS_REGION to the stack's region. {FIRST_EXPORT}"
        case exceptions.NoCredentialsError() | exceptions.PartialCredentialsError():
            login = "For a stack on AWS, log in (`aws configure` or `aws sso login`)."
            return f"There are no AWS credentials. {login} {FIRST_EXPORT}"
        case exceptions.EndpointConnectionError() | exceptions.ConnectionClosedError() if endpoint:
            return (
                f"Nothing answers at AWS_ENDPOINT_URL={endpoint}. If that was `make local`, it has ended: start it "
                "again and run the line that it prints, or unset AWS_ENDPOINT_URL to reach AWS."
            )
        case ClientError() if error.response["Error"]["Code"] in DENIED:
            return f"AWS refused {error.operation_name}: {error.response['Error']['Message']}"
    return f"AWS did not do it: {error}"
