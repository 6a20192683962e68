"""The roles of a model in a turn."""

from typing import Literal, get_args

ModelRole = Literal["writer", "critic", "router"]
ROLES: tuple[ModelRole, ...] = get_args(ModelRole)
