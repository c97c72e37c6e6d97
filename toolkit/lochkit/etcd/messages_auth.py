"""Authentication: log in, switch it on and off, users, roles and what they may touch."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from .messages_header import NO_HEADER, ResponseHeader
from .wire_schema import Message, Tag

__all__ = [
    "AuthDisableRequest",
    "AuthDisableResponse",
    "AuthEnableRequest",
    "AuthEnableResponse",
    "AuthRoleAddRequest",
    "AuthRoleAddResponse",
    "AuthRoleGrantPermissionRequest",
    "AuthRoleGrantPermissionResponse",
    "AuthUserAddRequest",
    "AuthUserAddResponse",
    "AuthUserChangePasswordRequest",
    "AuthUserChangePasswordResponse",
    "AuthUserGrantRoleRequest",
    "AuthUserGrantRoleResponse",
    "AuthenticateRequest",
    "AuthenticateResponse",
    "Permission",
    "PermissionType",
    "UserAddOptions",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticateRequest(Message):
    """Log in."""

    name: Annotated[str, Tag(1)] = ""
    password: Annotated[str, Tag(2)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticateResponse(Message):
    """``token`` goes with every call from now on."""

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER
    token: Annotated[str, Tag(2)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthEnableRequest(Message):
    """Switch authentication on; a user ``root`` with a role ``root`` must exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthEnableResponse(Message):
    """Authentication is on."""

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthDisableRequest(Message):
    """Switch authentication off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthDisableResponse(Message):
    """Authentication is off."""

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAddOptions(Message):
    """``no_password``: the user logs in by the common name of a client certificate only."""

    no_password: Annotated[bool, Tag(1)] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthUserAddRequest(Message):
    """Make a user. ``hashedPassword`` (etcd 3.5) is the members' own business: leave it empty."""

    name: Annotated[str, Tag(1)] = ""
    password: Annotated[str, Tag(2)] = ""
    options: Annotated[UserAddOptions | None, Tag(3)] = None
    hashedPassword: Annotated[str, Tag(4)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthUserAddResponse(Message):
    """The user exists."""

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthUserChangePasswordRequest(Message):
    """Give a user another password; ``hashedPassword`` as in :class:`AuthUserAddRequest`."""

    name: Annotated[str, Tag(1)] = ""
    password: Annotated[str, Tag(2)] = ""
    hashedPassword: Annotated[str, Tag(3)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthUserChangePasswordResponse(Message):
    """The new password counts."""

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthUserGrantRoleRequest(Message):
    """Give a role to a user."""

    user: Annotated[str, Tag(1)] = ""
    role: Annotated[str, Tag(2)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthUserGrantRoleResponse(Message):
    """The user has the role."""

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthRoleAddRequest(Message):
    """Make a role, which may do nothing yet."""

    name: Annotated[str, Tag(1)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthRoleAddResponse(Message):
    """The role exists."""

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER


class PermissionType(IntEnum):
    """What a role may do with a range of keys."""

    READ = 0
    WRITE = 1
    READWRITE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission(Message):
    """What may be done to the keys in ``[key, range_end)``."""

    permType: Annotated[PermissionType | int, Tag(1)] = PermissionType.READ
    key: Annotated[bytes, Tag(2)] = b""
    range_end: Annotated[bytes, Tag(3)] = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthRoleGrantPermissionRequest(Message):
    """Let a role do something."""

    name: Annotated[str, Tag(1)] = ""
    perm: Annotated[Permission | None, Tag(2)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthRoleGrantPermissionResponse(Message):
    """The role may."""

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER
