"""Shapes of second factors, passkeys and step-up."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic.json_schema import SkipJsonSchema

from app.auth.schemas import TOKEN, Password, Scope, Token
from app.core.schemas import Clean, Page, RequestModel, ResponseModel, ShortText

CODE = "492039"
RECOVERY_CODE = "7kqm-2x9d-hr4v-ppz3"

Code = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
RecoveryCode = Annotated[str, StringConstraints(min_length=1, max_length=40), Clean]
Credential = Annotated[
    dict[str, Any], Field(description="The credential as `PublicKeyCredential.toJSON()` of a browser gives it.")
]


def _one_of(*names: str) -> ConfigDict:
    """A schema in which exactly one of these fields stands."""

    def say_so(schema: dict[str, Any]) -> None:
        schema["oneOf"] = [{"required": [name]} for name in names]
        for name in names:
            schema["properties"][name].pop("default", None)

    return ConfigDict(json_schema_extra=say_so)


class Answer(RequestModel):
    """Exactly one proof of identity."""

    code: Code | SkipJsonSchema[None] = Field(default=None, description="Of the app.", examples=[CODE])
    recovery_code: RecoveryCode | SkipJsonSchema[None] = Field(
        default=None, description="One of the recovery codes.", examples=[RECOVERY_CODE]
    )
    passkey: Credential | SkipJsonSchema[None] = Field(default=None, examples=[{}])

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        proofs = [self.code, self.recovery_code, self.passkey, getattr(self, "password", None)]
        if sum(proof is not None for proof in proofs) != 1:
            raise ValueError("exactly one proof of identity is needed")
        return self


class SecondFactorAnswer(Answer):
    """The answer to the challenge of a sign-in; a passkey signs the same challenge."""

    model_config = _one_of("code", "recovery_code", "passkey")

    challenge: Token = Field(examples=[TOKEN])


class StepUp(Answer):
    """A fresh proof of who is there."""

    model_config = _one_of("password", "code", "recovery_code", "passkey")

    password: Password | SkipJsonSchema[None] = Field(default=None, examples=["correct horse battery"])


class TotpCode(RequestModel):
    """A code of the app."""

    code: Code = Field(examples=[CODE])


class TotpSetup(ResponseModel):
    """For the app: the secret, as text, as the URI that apps read, and as a QR code of that."""

    secret: str = Field(examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"])
    uri: str = Field(examples=["otpauth://totp/LifeVault%3Aada%40example.com?secret=JBSWY3DPEHPK3PXP"])
    qr_svg: str = Field(examples=["<svg …>"])


class RecoveryCodesRead(ResponseModel):
    """To be kept on paper: they are shown this once. Empty if there are unused ones already."""

    recovery_codes: list[str] = Field(examples=[[RECOVERY_CODE]])


class SecondFactors(ResponseModel):
    """What is set up."""

    totp: bool
    passkeys: int
    recovery_codes_left: int


class PasskeyOptions(ResponseModel):
    """For `navigator.credentials`: see `PublicKeyCredential.parseCreationOptionsFromJSON()` and its sibling."""

    options: dict[str, Any]


class PasskeyCreate(RequestModel):
    """What an authenticator made of the options."""

    name: ShortText = Field(examples=["Ada's phone"])
    passkey: Credential = Field(examples=[{}])


class PasskeyUpdate(RequestModel):
    """Another name."""

    name: ShortText = Field(examples=["Ada's old phone"])


class PasskeySignIn(RequestModel):
    """Sign-in with a passkey, without address and password."""

    passkey: Credential = Field(examples=[{}])
    scope: Scope = ""


class PasskeyRead(ResponseModel):
    """A passkey."""

    id: UUID
    name: str = Field(examples=["Ada's phone"])
    synced: bool = Field(description="Whether it is backed up beyond the one device.")
    created_at: datetime
    last_used_at: datetime | None


class PasskeyCreated(PasskeyRead, RecoveryCodesRead):
    """A new passkey; recovery codes come with the first second factor."""


class PasskeyPage(Page):
    """Passkeys, newest first."""

    items: list[PasskeyRead]
