"""Tables by the names that the notebooks still call them."""

from kalib.report.exhibits import __getattr__ as __getattr__
from kalib.report.exhibits import above_one as above_one
from kalib.report.exhibits import key_account_moves as key_account_moves
from kalib.report.exhibits import sources as sources
from kalib.report.exhibits import undecided as undecided
