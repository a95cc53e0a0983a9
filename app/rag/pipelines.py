"""What has made an index and fields: their numbers go up when others would be made."""

from typing import Final

from app.rag.fields.shapes import VERSION

PIPELINE: Final = "3"
FIELDS_PIPELINE: Final = f"{PIPELINE}/{VERSION}"
"""Fields depend on the text that they stand in, and on who looked for them."""
