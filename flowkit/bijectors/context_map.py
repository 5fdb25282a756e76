"""A bijector that sees a function of the context."""

from collections.abc import Callable
from typing import Any

from flowkit.bijector import Bijector, InTurn, Step, Wrapper
from flowkit.bijectors.parts import require_bijector
from flowkit.half_precision import cast_for

__all__ = ["ContextMap"]


class ContextMap(Wrapper[Any, Any]):
    r"""A bijector given ``function(context)`` in place of the context: an encoder before a flow, a level's own map.

    :math:`z = f(x \mid g(c))`, with the bijector :math:`f` and the function :math:`g`.

    Args:
        bijector: the bijector within.
        function: any callable; an ``nn.Module`` (an encoder) is registered, so that it trains with the flow.

    References:
        A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "SRFlow: Learning the Super-Resolution Space with
        Normalizing Flow", ECCV 2020, sec. 3.3: an encoder
        before the flow.

    Examples:
        >>> import operator, torch
        >>> from flowkit import ConvConditioner, Injector, initialize
        >>> injector = ContextMap(Injector(3, ConvConditioner(5, 6, hidden_channels=4)), operator.itemgetter("fine"))
        >>> x, context = torch.rand(2, 3, 4, 4), {"fine": torch.rand(2, 5, 4, 4)}
        >>> initialize(injector, x, context)
        >>> injector(x, context)[0].shape
        torch.Size([2, 3, 4, 4])
    """

    def __init__(self, bijector: Bijector[Any, Any], function: Callable[[Any], Any]) -> None:
        require_bijector(bijector, "ContextMap")
        super().__init__(bijector)
        self.function = function

    def prepare(self, context: Any) -> Any:
        """The function runs here, once per context.

        Raises:
            ValueError: there is no context.
        """
        return self.bijector.prepare(self._mapped(context))

    def _prepare_in_turn(self, context: Any) -> InTurn:
        return InTurn(self._mapped(context))

    def _steps(self, context: Any) -> list[Step]:
        return self.bijector._steps_as_part(self._mapped(context))

    def _mapped(self, context: Any) -> Any:
        if context is None:
            raise ValueError("this bijector is conditional: pass context=, or bind(context) first")
        # A network in half precision is given its context in it, whatever the data is in.
        return self.function(cast_for(self.function, context))
