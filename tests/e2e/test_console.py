# SPDX-License-Identifier: BSD-2-Clause
"""Command lines arrive whole, however they meet the guest's own reading of the port."""

import pytest
from cases import Case

pytestmark = pytest.mark.e2e

COMMANDS = 1500


def test_no_character_is_lost(boot):
    # The task once read the UART beside its ISR and lost a character in some 300 commands.
    with boot(Case("console")) as guest:
        for _ in range(COMMANDS):
            guest.mem()
        assert guest.events(event="error") == []
