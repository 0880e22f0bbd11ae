# Reference figures for kalib.waves.drift: Chow's hypothesis by a Wald test with HC3 covariances.
# Rscript chow.R, in this folder; needs car and jsonlite.
suppressMessages({library(car); library(jsonlite)})
stores <- read.csv("stores.csv")
n <- nrow(stores)
stores$wave <- rep(c(0, 1), length.out = n)
stores$y <- stores$y + 0.1 * stores$wave + 0.05 * stores$wave * stores$area
stores$late <- stores$wave
part <- function(k) lm(y ~ area + registers + hours, data = stores[stores$wave == k, ])
first <- part(0); second <- part(1)
# car's hccm on each wave apart: the spread of the errors may differ between the waves.
wald <- function(keep) {
  d <- (coef(second) - coef(first))[keep]
  v <- (hccm(first, type = "hc3") + hccm(second, type = "hc3"))[keep, keep]
  f <- as.numeric(t(d) %*% solve(v) %*% d) / length(d)
  df2 <- df.residual(first) + df.residual(second)
  list(f = f, df = length(d), df_residual = df2, p_value = pf(f, length(d), df2, lower.tail = FALSE))
}
both <- lm(y ~ area + registers + hours + wave, data = stores)
# The same by one interacted model: linearHypothesis with HC3 takes the waves' blocks apart too.
whole <- lm(y ~ (area + registers + hours) * wave, data = stores)
check <- linearHypothesis(whole, c("wave", "area:wave", "registers:wave", "hours:wave"), white.adjust = "hc3")
writeLines(toJSON(list(
  versions = list(R = R.version.string, car = as.character(packageVersion("car"))),
  whole = wald(1:4), slopes = wald(2:4), interacted_f = check$F[2],
  level = unname(coef(both)["wave"]), level_error = sqrt(hccm(both, type = "hc3")["wave", "wave"])
), digits = NA, auto_unbox = TRUE, pretty = TRUE), "chow.json")
