"""Chinese names: a surname with a form of address after it, or a name after words that introduce one."""

from __future__ import annotations

import re
from collections.abc import Iterable

from weitiao.privacy.scan import HAN, scan

_COMPOUND = (
    "欧阳|司马|上官|诸葛|司徒|东方|独孤|南宫|夏侯|皇甫|尉迟|公孙|慕容|长孙|宇文|令狐|轩辕|端木|百里|呼延|东郭|西门"
    "|公冶|申屠|太史|澹台|闻人|万俟|闾丘"
)
_SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟"
    "汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文庞樊兰殷施陶洪翟安颜倪严"
    "牛温芦季俞章鲁葛伍韦申尤毕聂丛焦柳邢路岳齐梅莫庄辛管祝左涂谷祁时舒耿牟卜肖詹关苗凌纪靳盛童欧甄项曲成游阳裴席卫查"
    "屈鲍覃霍翁隋植甘景薄单包司柏宁柯阮桂闵柴华冉房边辜吉饶刁瞿戚丘古池滕晋苑邬臧畅宫苟全褚廉简娄盖符奚穆党燕郎邸冀谈"
    "姬屠连郜晏栾郁商蒙喻揭窦迟敖糜鄢冷卓艾蓝巩练仲虞卞封竺冼佟匡宗巫桑荆岑蔺"
)
# What makes a word of a surname and the character before it: 多谢, 双方, 浙江 …
_WORD_BEFORE = {
    "谢": "感多谢答",
    "高": "最提较更很增抬",
    "方": "对双各官多地东甲乙单一平大警校院我厂",
    "安": "保治公平西请早晚",
    "常": "非经正日平通异",
    "时": "小及准当那这同随有按何到平",
    "何": "为任如",
    "任": "主责信班接担",
    "白": "明表空",
    "成": "完变达",
    "全": "安完",
    "于": "由关对等位属至基处终出用在便小大限",
    "单": "订账运保快工简下买名",
    "金": "基资现押佣定奖本税租",
    "钱": "交花付退存还转扣收要多",
    "程": "过工流课行日携",
    "蒙": "启",
    "封": "一",
    "万": "几十百千",
    "江": "浙长珠",
    "苏": "江",
    "周": "上下本每一两",
    "路": "公道网铁",
    "石": "宝钻",
    "向": "方一",
    "文": "中英语作",
    "余": "多剩业",
    "关": "相有海无",
    "盛": "丰",
    "边": "旁身这那",
    "位": "各一两几这那单座职",
    "包": "红钱打面",
    "房": "买租住客",
    "史": "历",
    "席": "首主出",
    "华": "清中",
    "游": "导旅",
    "管": "主尽",
    "司": "公",
    "易": "交贸",
    "费": "付收缴交",
    "商": "厂电经",
    "查": "检",
}
_WORDS = re.compile(
    "安全|安排|安装|安卓|高级|高中|高德|高管|高度|高兴|金融|金额|金卡|金牌|方便|方面|方法|万能|万科|程序|商务|商家"
    "|商品|华为|黄金|白金|白领|白天|白条|白名|马上|马路|时间|时候|时常|周末|周一|周二|周三|周四|周五|周六|周日|于是"
    "|常见|常年|常常|常客|关于|成功|全部|全国|全款|单位|单独|钱包|路口|路过|项目|连接|连续|管理|党员|温馨|毛利|牛奶"
    "|石油|查询|游戏|包括|包装|房东|房产|房贷|司机|向前|何时|何必|余额|任何|任务|盛大|边上|童装|简单|古董|谈判|封面"
    "|申请|康复|江苏|江西|苏宁|鲁班|宁波|汤药|兰州|施工|高考|高三|高举|金装|万分|关键|关系|温州|查找|简直|成为|成了"
)
# Hardly ever in a given name: function words, what requests speak of.
_NOT_GIVEN = (
    "的了是在有不没要想来去我你您他她它们这那哪个为把被让给到从和与或及并但就都也还很再已未手电话号码身份证卡账户姓名"
    "址住买卖付款退收货单元次件打叫说问请帮能会可以吗呢吧啊将于因所申查办级度先女总经老医律主教同阿叔昨今每时候拒需"
    "应对其点后前院局部店键州奶看找考"
)
_GIVEN = (
    "的了是在有不没要想来去我你您他她它们这那哪个为把被让给到从和与或及并但就都也还很再已未手电话号码身份证卡账户姓名址住买卖付款退收货单元次件"
    "打叫说问请帮能会可以吗呢吧啊将于因所申查办级度先女小总经老医律主教同阿叔昨今每时候拒需应对其点后前院局部店键州奶看找考"
)
_GIVEN = f"(?:(?![{_NOT_GIVEN}])[{HAN}])"
# Common surnames that are rare as the last character of a given name: in 江苏王先生 the person is 王.
_SELDOM_LAST = frozenset("王李张刘陈赵吴徐孙朱胡郭郑梁谢宋冯邓曹彭萧蔡潘袁董魏吕沈姚卢傅崔谭廖邹")
# After a surname and a given name, and only after a surname: 温州老板, 客房经理 are no people.
_TITLES = "先生(?!们)|女士(?!们)|小姐(?!姐)|太太|老师(?!傅|们)|师傅|医生|律师|教授|同学(?!们)"
_POSTS = f"经理|主管|主任|总监|大夫|阿姨|叔叔|大哥|大姐|老板|警官|工程师|总(?:[^{HAN}]|$|[您你好确说在的那和让答来安])"
# The title is looked at, not taken, so that what matches is the name.
_TITLED = re.compile(
    rf"(?P<surname>{_COMPOUND}|[{_SURNAMES}])(?:(?P<given>{_GIVEN}{{0,2}}?)(?={_TITLES})|(?={_POSTS}))"
)
_ROLES = (
    "姓名|联系人|收件人|收货人|寄件人|发件人|户名|持卡人|开户人|账户名|投保人|被保险人|受益人|申请人|经办人"
    "|法定代表人|法人代表|法人|借款人|担保人|负责人|收款人|付款人|车主|机主|客户|患者|用户|代理人|户主|业主|签收人|当事人"
    "|投诉人"
)
_PERSON = rf"(?P<name>(?:(?:{_COMPOUND})|[{_SURNAMES}]){_GIVEN}{{1,2}}|[{HAN}]{{1,8}}(?:[·•][{HAN}]{{1,8}}){{1,3}})"
_INTRODUCED = (
    re.compile(rf"(?:{_ROLES})(?:姓名|名称)? ?[:：] ?{_PERSON}"),
    re.compile(
        rf"(?:我叫|名叫|名字[是叫]|本人|姓名[是为]?|联系人是?|收[件货]人是?|户名[是为]?|持卡人|借款人|付款人|收款人|经办人|法人|申请人)"
        rf"{_PERSON}(?=[^{HAN}]|$|[{_NOT_GIVEN}])"
    ),
    re.compile(rf"(?:我是|客户|用户|车主|机主|患者|业主){_PERSON}(?=[^{HAN}·]|$)"),
)
_TITLE = re.compile(f"{_TITLES}|{_POSTS}")
NEEDS = re.compile(f"{_TITLES}|{_POSTS}|{_ROLES}|我叫|我是|名叫|名字[是叫]|本人|收[件货]人")


def spans(text: str) -> Iterable[tuple[int, int]]:
    """Where Chinese names stand."""
    for pattern in _INTRODUCED:
        for match in pattern.finditer(text):
            if not _WORDS.match(match["name"]):
                yield match.span("name")
    if _TITLE.search(text):
        yield from scan(_TITLED, text, _is_titled)


def _is_titled(match: re.Match[str]) -> bool:
    before = match.string[match.start() - 1 : match.start()]
    if (before and before in _WORD_BEFORE.get(match["surname"], "")) or _WORDS.match(match[0]):
        return False
    return not match["given"] or match[0][-1] not in _SELDOM_LAST
