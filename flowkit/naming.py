"""What messages call a value."""

from typing import Any

from torch import Tensor, nn

__all__ = ["named", "with_article"]

LONGEST = 60


def named(value: Any) -> str:
    """What a message calls a value: a tensor by its shape, a module by its class, others by a text that is short.

    Args:
        value: anything.

    Returns:
        A few words.

    Examples:
        >>> import torch
        >>> named(torch.ones(2, 3)), named(nn.Identity()), named(0.5)
        ('a tensor of shape (2, 3)', 'an Identity', '0.5')
    """
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    text = repr(value)
    if isinstance(value, nn.Module) or text.startswith("<") or len(text) >= LONGEST:
        return with_article(type(value).__name__)
    return text


def with_article(name: str) -> str:
    """A name with the article before it.

    Args:
        name: at least one letter.

    Returns:
        Both.

    Examples:
        >>> with_article("Injector")
        'an Injector'
    """
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
