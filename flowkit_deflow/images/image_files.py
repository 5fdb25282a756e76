"""Image files: which there are, reading and writing them."""

from flowkit_deflow.images.image_listing import IMAGE_SUFFIXES, NOT_READ, Survey, list_images, survey, unread
from flowkit_deflow.images.image_reading import ImageError, Picture, image_size, page_count, read_image, read_picture
from flowkit_deflow.images.image_writing import (
    WRITABLE_SUFFIXES,
    Encoding,
    to_levels,
    to_uint8,
    write_image,
    write_pixels,
)

__all__ = [
    "IMAGE_SUFFIXES",
    "NOT_READ",
    "WRITABLE_SUFFIXES",
    "Encoding",
    "ImageError",
    "Picture",
    "Survey",
    "image_size",
    "list_images",
    "page_count",
    "read_image",
    "read_picture",
    "survey",
    "to_levels",
    "to_uint8",
    "unread",
    "write_image",
    "write_pixels",
]
