"""The formula of potential: choosing, fitting, judging."""
