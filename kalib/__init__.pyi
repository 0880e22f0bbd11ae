from . import plots as plots
from .analysis import Analysis as Analysis
from .analysis import analyze as analyze
from .analysis import replan as replan
from .errors import KalibError as KalibError
from .errors import StudyError as StudyError
from .formula.checks import check_formula as check_formula
from .formula.fitting import fit_formula as fit_formula
from .formula.verdict import judge as judge
from .indicators.screening import screen as screen
from .matrix.matrix import place as place
from .matrix.survey_next import rank_next_survey as rank_next_survey
from .plan.gain import attainment_since as attainment_since
from .plan.plan import plan_sales as plan_sales
from .runs.what_if import explore as explore
from .study.kept import keep as keep
from .study.loading import read_study as read_study
from .tables.tables import read_tables as read_tables
from .wallet.known import known_potential as known_potential
from .wallet.wallet import estimate_wallets as estimate_wallets
from .waves.waves import compare_waves as compare_waves
from .waves.waves import read_wave as read_wave

__version__: str
