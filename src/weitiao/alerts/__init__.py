"""Alerts: threshold rules over a service's figures, told once to each receiver by webhook or email.

alarms, courier = Alarms(store, settings), Courier(store, settings)
courier.start()
alarms.observe({"error_rate": 0.12, "p99_seconds": 0.4}, now=time.time())  # every ``settings.every`` seconds
courier.stop(timeout=10)
"""

from weitiao.alerts.alarms import Alarms
from weitiao.alerts.courier import Courier, outbox
from weitiao.alerts.exchange import Outcome
from weitiao.alerts.send import send_test
from weitiao.alerts.settings import AlertSettings, Email, Rule, Webhook, default_rules, read_settings
from weitiao.alerts.show import show

__all__ = [
    "AlertSettings",
    "Alarms",
    "Courier",
    "Email",
    "Outcome",
    "Rule",
    "Webhook",
    "default_rules",
    "outbox",
    "read_settings",
    "send_test",
    "show",
]
