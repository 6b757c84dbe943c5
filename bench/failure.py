# SPDX-License-Identifier: Apache-2.0
"""What the parts of the bench raise."""


class Failure(Exception):
    """The bench itself cannot go on."""
