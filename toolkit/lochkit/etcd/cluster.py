"""The cluster itself: its members, their state, and who may do what."""

from typing import Final

from .caller import Caller, Rpc
from .messages import (
    AuthDisableRequest,
    AuthDisableResponse,
    AuthEnableRequest,
    AuthEnableResponse,
    AuthRoleAddRequest,
    AuthRoleAddResponse,
    AuthRoleGrantPermissionRequest,
    AuthRoleGrantPermissionResponse,
    AuthUserAddRequest,
    AuthUserAddResponse,
    AuthUserChangePasswordRequest,
    AuthUserChangePasswordResponse,
    AuthUserGrantRoleRequest,
    AuthUserGrantRoleResponse,
    Member,
    MemberListRequest,
    MemberListResponse,
    Permission,
    PermissionType,
    StatusRequest,
    StatusResponse,
    UserAddOptions,
)
from .prefix import KeyRange

__all__ = ["Access", "Cluster"]

_STATUS: Final = Rpc(
    "/etcdserverpb.Maintenance/Status", StatusRequest, StatusResponse, repeatable=True
)
_MEMBERS: Final = Rpc(
    "/etcdserverpb.Cluster/MemberList", MemberListRequest, MemberListResponse, repeatable=True
)
_AUTH: Final = "/etcdserverpb.Auth/"
_ENABLE: Final = Rpc(_AUTH + "AuthEnable", AuthEnableRequest, AuthEnableResponse)
_DISABLE: Final = Rpc(_AUTH + "AuthDisable", AuthDisableRequest, AuthDisableResponse)
_USER_ADD: Final = Rpc(_AUTH + "UserAdd", AuthUserAddRequest, AuthUserAddResponse)
_USER_PASSWORD: Final = Rpc(
    _AUTH + "UserChangePassword", AuthUserChangePasswordRequest, AuthUserChangePasswordResponse
)
_USER_GRANT: Final = Rpc(
    _AUTH + "UserGrantRole", AuthUserGrantRoleRequest, AuthUserGrantRoleResponse
)
_ROLE_ADD: Final = Rpc(_AUTH + "RoleAdd", AuthRoleAddRequest, AuthRoleAddResponse)
_ROLE_GRANT: Final = Rpc(
    _AUTH + "RoleGrantPermission", AuthRoleGrantPermissionRequest, AuthRoleGrantPermissionResponse
)


class Cluster:
    """etcd's Maintenance and Cluster services, as far as a client has need of them."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def status(self) -> StatusResponse:
        """Version, size, leader and raft state of the member the client is connected to."""
        return await self._caller.call(_STATUS, StatusRequest())

    async def members(self) -> tuple[Member, ...]:
        """All members with their addresses."""
        return (await self._caller.call(_MEMBERS, MemberListRequest())).members


class Access:
    """etcd's Auth service: users, roles, permissions. For the setup of a cluster, as root."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def enable(self) -> None:
        """Demand a login from now on. There must be a user root with the role root."""
        await self._caller.call(_ENABLE, AuthEnableRequest())

    async def disable(self) -> None:
        """Let everybody do everything."""
        await self._caller.call(_DISABLE, AuthDisableRequest())

    async def add_user(self, name: str, password: str | None) -> None:
        """Add a user; with None for a password it can only log in by a client certificate's
        name."""
        request = AuthUserAddRequest(
            name=name,
            password=password or "",
            options=UserAddOptions(no_password=password is None),
        )
        await self._caller.call(_USER_ADD, request)

    async def change_password(self, name: str, password: str) -> None:
        """Give a user another password. Tokens made with the old one end."""
        request = AuthUserChangePasswordRequest(name=name, password=password)
        await self._caller.call(_USER_PASSWORD, request)

    async def add_role(self, name: str) -> None:
        """Add a role without permissions."""
        await self._caller.call(_ROLE_ADD, AuthRoleAddRequest(name=name))

    async def grant_role(self, user: str, role: str) -> None:
        """Give a user a role."""
        await self._caller.call(_USER_GRANT, AuthUserGrantRoleRequest(user=user, role=role))

    async def grant(self, role: str, kind: PermissionType, wanted: KeyRange) -> None:
        """Let a role read or write a range."""
        permission = Permission(permType=kind, key=wanted.key, range_end=wanted.range_end)
        request = AuthRoleGrantPermissionRequest(name=role, perm=permission)
        await self._caller.call(_ROLE_GRANT, request)
