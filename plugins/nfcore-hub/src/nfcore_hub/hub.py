"""The Hugging Face Hub, as far as sharing needs it; whatever it refuses is one line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import HfApi
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from nfcore import NfcoreError, UserError

_NAME = re.compile(r"hf:([\w.-]+/[\w.-]+)")
_REFUSED = {401: "it wants a login: 'hf auth login', or HF_TOKEN", 403: "your token may not do this"}


def repository(name: str) -> str:
    """Return the repository of ``hf:OWNER/NAME``.

    >>> repository("hf:ada/lego")
    'ada/lego'

    Raises:
        UserError: ``name`` is not of this form.

    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise UserError(f"{name}: not the name of a repository: write hf:OWNER/NAME, such as hf:ada/lego")
    return found[1]


def api() -> HfApi:
    """Return the hub that ``HF_ENDPOINT`` names, huggingface.co by default."""
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"), library_name="nfcore")


@contextmanager
def refusals(repo: str) -> Iterator[None]:
    """Turn what the hub refuses, and what goes wrong on the way to it, into one line.

    Raises:
        UserError: it wants a login or a right, or there is no such repository or revision.
        NfcoreError: it can't be reached, or fails.

    """
    try:
        yield
    except NfcoreError:
        raise
    except LocalTokenNotFoundError:
        raise UserError(f"hf:{repo}: {_REFUSED[401]}") from None
    except OfflineModeIsEnabled:
        raise UserError(f"hf:{repo}: HF_HUB_OFFLINE is set, so the hub is not asked") from None
    except GatedRepoError:
        raise UserError(f"hf:{repo}: its owner asks you to accept conditions on its page first") from None
    except RevisionNotFoundError:
        raise UserError(f"hf:{repo}: no such revision") from None
    except RepositoryNotFoundError as error:
        status = error.response.status_code
        hint = f", or {_REFUSED[401]}" if status in (401, 404) else ""
        raise UserError(f"hf:{repo}: no such repository{hint}") from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        reason = _REFUSED.get(status) or error.server_message or f"HTTP {status}"
        raise (UserError if status in _REFUSED else NfcoreError)(f"hf:{repo}: {reason}") from None
    except Exception as error:  # the HTTP library's own, which is another one in each version
        line = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise NfcoreError(f"hf:{repo}: the hub can't be reached: {line}") from None
