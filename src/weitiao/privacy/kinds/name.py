"""Names of people by what stands around them: a form of address, or words that introduce a name.

The finding is the name, without "Mr." or 先生. There is no list of people: a name that stands alone is not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from weitiao.privacy.scan import HAN, scan

_COMPOUND = (
    "欧阳|司马|上官|诸葛|司徒|东方|独孤|南宫|夏侯|皇甫|尉迟|公孙|慕容|长孙|宇文|令狐|轩辕|端木|百里|呼延|东郭|西门|公冶|申屠|太史|澹台|闻人|万俟|闾丘"
)
_SURNAME = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康"
    "毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文庞樊兰殷施陶洪翟安颜倪严牛温芦季俞章鲁葛伍韦申尤毕聂丛焦向柳邢路岳齐沿梅莫庄辛管祝左涂谷祁时舒耿牟卜"
    "肖詹关苗凌费纪靳盛童欧甄项曲成游阳裴席卫查屈鲍位覃霍翁隋植甘景薄单包司柏宁柯阮桂闵解强柴华车冉房边辜吉饶刁瞿戚丘古米池滕晋苑邬臧畅宫来嵺苟全褚廉简娄盖符奚木"
    "穆党燕郎邸冀谈姬屠连郜晏栾郁商蒙计喻揭窦迟宇敖糜鄢冷卓花仇艾蓝都巩稽井练仲乐虞卞封竺冼原官衣楚佟栗匡宗应台巫鞠僧桑荆谌银扬明沙薄伏岑习胥保和蔺"
)
# Words that end in what could be a surname: the character before it, by surname.
_WORD_BEFORE = {
    "谢": "感多谢答", "高": "最提较更很增抬", "方": "对双各官多地东甲乙单一平大警校院我贵厂", "安": "保治公平西请早晚", "常": "非经正日平通异",
    "时": "小及准当那这同随有按何到平", "何": "为任如", "任": "主责信班", "白": "明表空", "成": "完变达", "全": "安完", "于": "由关对等位属至基处终出用在便小大鉴限",
    "单": "订账运保快工简下买名", "金": "基资现押佣定奖本税租", "钱": "交花付退存还转扣收要多的了", "程": "过工流课行日", "万": "几十百千", "江": "浙长珠黑龙",
    "苏": "江", "周": "上下本每一两", "路": "马公道网铁", "马": "立司人", "石": "宝钻", "向": "方一", "文": "中英语作", "余": "多剩业", "关": "相有海无",
    "安全": "", "盛": "丰", "边": "旁身这那", "来": "后原本回出过", "和": HAN, "保": "社医投担", "应": "反响对", "都": "首成", "台": "后前平", "位": "各一两几这那单座职",
    "车": "汽货火叫打", "包": "红钱打面", "房": "买租住", "计": "会设统", "管": "主尽", "官": "法", "原": "", "查": "检", "解": "了理", "明": "说证声", "强": "", "司": "公",
}  # fmt: skip
_NOT_NAMES = (
    "安全 安排 安装 安卓 高级 高中 高德 高管 高度 高兴 金融 金额 金卡 金牌 方便 方面 方法 万能 万科 程序 商务 商家 商品 华为 黄金 白金 白领 白天 白条 白名 马上 马路 时间 时候 时常 周末 "
    "周一 周二 周三 周四 周五 周六 周日 于是 常见 常年 常常 常客 关于 成功 全部 全国 全款 单位 单独 钱包 路口 路过 项目 应该 连接 连续 管理 党员 温馨 毛利 牛奶 石油 车主 查询 游戏 代表 "
    "花呗 来电 来自 都是 都有 和平 位置 包括 包装 房东 房产 房贷 原来 计划 保险 保安 解决 解释 明天 明细 强烈 司机 官方 文件 文员 向前 何时 何必 余额 任何 任务 盛大 边上 台湾 童装 简单 古董 "
    "米饭 衣服 银行 银联 木工 谈判 水电 沙发 乐园 封面 广告 易购 申请 段时间 康复 江苏 江西 海南 苏宁 鲁班 宁波 汤药 兰州 贵宾"
).split()
# Hardly ever in a given name: function words, verbs of requests, units.
_NEVER_GIVEN = "的了是在有不没要想来去我你您他她它们这那哪个为把被让给到从和与或及并但就都也还很再已未手电话号码身份证卡账户姓名址住买卖付退款收货单元次件打叫说问请帮能会可以吗呢吧啊将已于因所申查办级度先女小总经老师医律主教同阿叔昨今每时候拒需应对及其点后前"
_GIVEN = f"(?:(?![{_NEVER_GIVEN}])[{HAN}])"
_SELDOM_SECOND = frozenset("王李张刘陈赵吴徐孙朱胡郭郑梁谢宋冯邓曹彭萧蔡潘袁董魏吕沈姚卢傅崔谭廖邹")
_TITLE = (
    "先生(?!们)|女士(?!们)|小姐(?!姐)|太太|老师(?!傅|们)|师傅|经理|主管|主任|总监|医生|大夫|律师|教授|同学(?!们)|阿姨|叔叔|大哥|大姐|老板|警官|工程师"
)
_TITLED = re.compile(
    rf"(?P<surname>{_COMPOUND}|[{_SURNAME}])(?P<given>{_GIVEN}{{0,2}}?)(?:(?:{_TITLE})|总(?![是共会的体之算结额部数线监理裁能归有该而在计要觉说不]))"
)
_PERSON = rf"(?P<name>(?:(?:{_COMPOUND})|[{_SURNAME}]){_GIVEN}{{1,2}}|[{HAN}]{{1,8}}(?:[·•][{HAN}]{{1,8}}){{1,3}})"
_ROLES = (
    "姓名|联系人|收件人|收货人|寄件人|发件人|户名|持卡人|开户人|账户名|投保人|被保险人|受益人|申请人|经办人|法定代表人|法人代表|法人|借款人|担保人|负责人|收款人|付款人"
    "|车主|客户|患者|用户|代理人|户主|业主|签收人|当事人|投诉人"
)
_END = rf"(?=[^{HAN}]|$|[{_NEVER_GIVEN}])"
_INTRODUCED = (
    re.compile(rf"(?:{_ROLES})(?:姓名|名称)? ?[:：] ?{_PERSON}(?:{_END}|)"),
    re.compile(rf"(?:我叫|名叫|名字[是叫]|本人|姓名[是为]?|联系人是?|收[件货]人是?|户名[是为]?|[持办借付收]款?[卡]?人|经办人|法人|申请人){_PERSON}{_END}"),
    re.compile(rf"(?:我是|客户|用户|车主|患者|业主){_PERSON}(?=[^{HAN}·]|$)"),
)
_SOME = re.compile(f"{_TITLE}|总|{_ROLES}|我叫|名叫|名字|本人|我是")

_WORD = r"(?!(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|And|Or|The|Please|Required|Field|Not|None|Unknown|Test|SSN)\b)[A-Z][A-Za-z'’]{1,24}(?:-[A-Z][A-Za-z]{1,24})?"
_FULL = rf"(?P<name>{_WORD}(?: (?:(?:van|von|de|der|den|da|di|la|le|bin|al|[A-Z]\.) ){{0,2}}{_WORD}){{0,3}})"
_ENGLISH = re.compile(
    rf"(?<![A-Za-z])(?:(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|MR|MRS|MS|MISS|DR|Professor)\.? {{1,2}}"
    rf"|(?i:my (?:full )?name(?: is|['’]s))(?::)? "
    rf"|(?i:(?:(?:account|card)[ -]?holder|customer|contact|recipient|beneficiary|applicant|payee|attn|(?:full |first |last )?name)(?:['’]s)?(?: name| person)?): ?)"
    + _FULL
)


def spans(text: str) -> Iterable[tuple[int, int]]:
    """Where names stand."""
    if not text.isascii() and _SOME.search(text):
        for match in _chinese(text):
            yield match
    yield from (match.span("name") for match in _ENGLISH.finditer(text))


def _chinese(text: str) -> Iterable[tuple[int, int]]:
    for pattern in _INTRODUCED:
        for match in pattern.finditer(text):
            if not match["name"].startswith(tuple(_NOT_NAMES)):
                yield match.span("name")
    position = 0
    while match := _TITLED.search(text, position):
        if _is_titled(match):
            yield match.start(), match.end("given")
            position = match.end()
        else:
            position = match.start() + 1


def _is_titled(match: re.Match[str]) -> bool:
    surname, given = match["surname"], match["given"]
    before = match.string[match.start() - 1 : match.start()]
    if before and re.match(f"[{_WORD_BEFORE.get(surname) or ' '}]", before):
        return False
    if given and given[-1] in _SELDOM_SECOND:  # 江苏王先生: the last character is the surname
        return False
    return not match[0].startswith(tuple(_NOT_NAMES))
