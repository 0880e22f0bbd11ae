# Reference figures for kalib.formula.linear, kalib.formula.checks and kalib.formula.subsets.search.
# Rscript diagnostics.R, in this folder; needs car, lmtest, leaps and jsonlite.
suppressMessages({library(car); library(lmtest); library(leaps); library(jsonlite)})
stores <- read.csv("stores.csv")
stores$format <- relevel(factor(stores$format), ref = "small")
fit <- lm(y ~ area + registers + hours + format, data = stores)
weighted <- lm(y ~ area + registers + hours + format, data = stores, weights = w)
squares <- ~ area + registers + hours + formathyper + formatsuper +
  I(area^2) + I(area * registers) + I(area * hours) + I(area * formathyper) + I(area * formatsuper) +
  I(registers^2) + I(registers * hours) + I(registers * formathyper) + I(registers * formatsuper) +
  I(hours^2) + I(hours * formathyper) + I(hours * formatsuper)
stores$formathyper <- as.numeric(stores$format == "hyper")
stores$formatsuper <- as.numeric(stores$format == "super")
auxiliary <- summary(lm(update(squares, residuals(fit)^2 ~ .), data = stores))
describe <- function(m) {
  s <- summary(m)
  list(coef = unname(coef(m)), std_error = unname(s$coefficients[, 2]),
       p_value = unname(s$coefficients[, 4]), r2 = s$r.squared, r2_adjusted = s$adj.r.squared,
       sigma = s$sigma, f = unname(s$fstatistic[1]),
       leverage = unname(hatvalues(m)), cook = unname(cooks.distance(m)),
       rstudent = unname(rstudent(m)), rstandard = unname(rstandard(m)), dffits = unname(dffits(m)),
       press = unname(residuals(m) / (1 - hatvalues(m))))
}
test <- function(t) list(statistic = unname(t$statistic[1]), p_value = unname(t$p.value[1]))
e <- residuals(fit)
n <- length(e)
skew <- mean(e^3) / mean(e^2)^1.5
kurt <- mean(e^4) / mean(e^2)^2
jb <- n / 6 * (skew^2 + (kurt - 3)^2 / 4)
white <- auxiliary$r.squared * n
numbers <- stores[, c("area", "registers", "hours", "shelves", "parking", "distance", "age")]
best <- summary(regsubsets(numbers, stores$y, nvmax = 7, method = "exhaustive"))
writeLines(toJSON(list(
  versions = list(R = R.version.string, car = as.character(packageVersion("car")),
                  lmtest = as.character(packageVersion("lmtest")),
                  leaps = as.character(packageVersion("leaps"))),
  names = names(coef(fit)), fit = describe(fit), weighted = describe(weighted),
  hc3 = unname(sqrt(diag(hccm(fit, type = "hc3")))),
  gvif = unname(vif(fit)[, "GVIF"]), gvif_df = unname(vif(fit)[, "Df"]),
  vif_numeric = unname(vif(lm(y ~ area + registers + hours, data = stores))),
  breusch_pagan = test(bptest(fit)),
  white = list(statistic = white, p_value = pchisq(white, auxiliary$df[1] - 1, lower.tail = FALSE)),
  reset = test(resettest(fit, power = 2:3, type = "fitted")),
  durbin_watson = test(dwtest(fit)),
  jarque_bera = list(statistic = jb, p_value = pchisq(jb, 2, lower.tail = FALSE)),
  subsets = list(rss = best$rss, which = unname(apply(best$which[, -1], 1, function(r) paste(as.numeric(r), collapse = ""))))
), digits = NA, auto_unbox = TRUE, pretty = TRUE), "output.json")
