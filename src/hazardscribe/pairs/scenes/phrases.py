"""How each kind is said, in Chinese and English.

Every object phrase fits every defect phrase of its kind. `{n}` stands for a number and `{c}` for
a colour, either of which may be empty; what stands in `[]` is left out with the colour. The rules
of `evaluation` recognise each of these defects, and none in a safe wording: tests see to that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Phrases:
    """One kind's wordings in one language.

    Attributes:
        objects: names of the object, with `{n}`, `{c}`, `{s}` (English plural) and `[]`.
        defects: what is wrong with it.
        risks: what may follow.
        safe: statements that it is in order.
    """

    objects: tuple[str, ...]
    defects: tuple[str, ...]
    risks: tuple[str, ...]
    safe: tuple[str, ...]


ZH: Final[Mapping[str, Phrases]] = MappingProxyType(
    {
        "cylinder_unchained": Phrases(
            objects=("{n}{c}气瓶", "{n}{c}钢瓶", "{n}{c}工业气瓶"),
            defects=(
                "未固定",
                "直立存放未采取防倾倒措施",
                "未挂防倒链",
                "防倒链脱开未系",
                "无防倾倒措施",
            ),
            risks=("易倾倒伤人", "倾倒后瓶阀损坏可能漏气"),
            safe=("气瓶已用链条固定", "钢瓶防倒链已挂好", "气瓶固定牢靠", "气瓶直立放置且链条系牢"),
        ),
        "hose_cracked": Phrases(
            objects=("{c}燃气软管", "{c}连接软管", "灶具{c}软管"),
            defects=("老化开裂", "龟裂破损", "表面有多处裂口", "开裂未及时更换"),
            risks=("可能造成燃气泄漏", "有漏气爆燃风险"),
            safe=("燃气软管完好", "软管连接牢固无老化", "软管外观完好", "燃气软管管卡齐全"),
        ),
        "box_open": Phrases(
            objects=("{c}配电箱", "{c}配电箱箱门", "{c}电箱"),
            defects=("未关闭", "敞开未上锁", "处于打开状态，开关外露", "未锁闭，带电部位裸露"),
            risks=("存在触电风险", "人员易误触带电体"),
            safe=("配电箱已上锁", "配电箱箱门关闭", "电箱门关好", "配电箱警示标识齐全"),
        ),
        "cable_tangled": Phrases(
            objects=("{c}插座处电线", "{c}插座板下线缆", "{c}插座引出的电缆"),
            defects=("私拉乱接", "缠绕杂乱", "凌乱未整理", "乱拉未穿管"),
            risks=("易短路起火", "易过载发热"),
            safe=("电线走线整齐", "线缆已入槽固定", "电缆敷设规范", "插座线路整齐有序"),
        ),
        "extinguisher_toppled": Phrases(
            objects=("[{c}]消防点灭火器", "[{c}底座旁]灭火器", "[{c}挡板前]灭火器"),
            defects=("倒地", "倒放在地面", "未上架且无检查卡", "横倒且检查标签缺失"),
            risks=("紧急时无法及时取用", "影响初起火灾扑救"),
            safe=("灭火器定点摆放", "灭火器检查卡在位", "灭火器摆放到位", "灭火器已按期检查"),
        ),
        "exit_blocked": Phrases(
            objects=("{c}安全出口门前", "{c}疏散门处", "{c}出口门口"),
            defects=("被纸箱堵塞", "堆放纸箱", "被货物封堵", "码放箱子无法开启"),
            risks=("影响人员疏散", "紧急情况下无法逃生"),
            safe=("安全出口畅通", "疏散门前无遮挡", "出口门可正常开启", "安全出口指示灯完好"),
        ),
        "hydrant_empty": Phrases(
            objects=("{c}消火栓箱内", "{c}消防箱内", "{c}室内消火栓"),
            defects=("水带缺失", "未配水带", "无水带和水枪", "水带被挪走"),
            risks=("火灾时无法出水", "不能及时灭火"),
            safe=("消火栓水带齐全", "消防箱内水带卷放整齐", "消火栓箱配件完好", "水带水枪在位"),
        ),
        "guardrail_missing": Phrases(
            objects=("{c}平台临边", "{c}高处平台边缘", "{c}作业平台"),
            defects=("未设防护栏杆", "护栏缺失", "无防护栏杆", "护栏被拆除未恢复"),
            risks=("存在高处坠落风险", "人员易坠落"),
            safe=("临边护栏完好", "平台防护栏杆齐全", "平台栏杆牢固", "平台边缘已设护栏"),
        ),
        "opening_uncovered": Phrases(
            objects=("[{c}边框]地面洞口", "[{c}边框]预留洞口", "[{c}框]检修洞口"),
            defects=("未覆盖", "未加盖板", "无盖板防护", "敞口未封闭"),
            risks=("人员易踏空", "有踏空跌入风险"),
            safe=("洞口已盖好", "洞口盖板齐全", "预留洞口已封闭", "检修洞口盖板牢固"),
        ),
        "ladder_broken": Phrases(
            objects=("{c}梯子", "{c}直梯", "{c}爬梯"),
            defects=("踏棍断裂", "中部踏棍缺失", "横档断裂仍在使用", "多根横档缺失"),
            risks=("攀爬时易摔落", "有登高摔伤风险"),
            safe=("梯子完好", "直梯横档齐全", "爬梯踏棍牢固", "梯子支设稳固"),
        ),
        "helmet_missing": Phrases(
            objects=("[{c}工作服]作业人员", "操作台后[着{c}工装]人员", "操作台处[{c}工装]工人"),
            defects=("未戴安全帽", "未佩戴安全帽", "作业时没有戴安全帽", "不戴安全帽"),
            risks=("头部易受伤", "有物体打击风险"),
            safe=("人员已戴安全帽", "作业人员安全帽佩戴规范", "工人戴好安全帽", "安全帽佩戴到位"),
        ),
        "vest_missing": Phrases(
            objects=("[{c}工作服]站立人员", "[着{c}工装的]人员", "[{c}衣服]工人"),
            defects=("未穿反光背心", "未穿反光衣", "没有穿反光背心", "作业未着反光衣"),
            risks=("易被车辆碰撞", "不易被车辆司机发现"),
            safe=(
                "人员已穿反光背心",
                "作业人员反光衣穿戴规范",
                "工人反光背心穿着到位",
                "人员反光衣穿着齐全",
            ),
        ),
        "stack_tilting": Phrases(
            objects=("{c}箱堆垛", "{c}周转箱垛", "{c}货箱堆垛"),
            defects=("倾斜", "堆码歪斜", "码放不稳", "歪斜将倒"),
            risks=("有倒塌风险", "易倒塌砸伤人员"),
            safe=("堆垛码放整齐", "货箱堆码稳固", "周转箱码放平稳", "物料堆垛规整"),
        ),
        "rack_sagging": Phrases(
            objects=("{c}货架", "{c}货架横梁", "{c}仓储货架层板"),
            defects=("变形下弯", "超载弯曲", "弯曲变形", "受压下凹"),
            risks=("有垮塌风险", "易垮塌伤人"),
            safe=("货架完好", "货架横梁平直", "货架层板平整", "货架承载正常"),
        ),
        "floor_spill": Phrases(
            objects=("{n}{c}油桶下地面", "{n}{c}油桶旁", "{n}{c}料桶周围地面"),
            defects=("有积液", "油液洒漏", "油污未清理", "泄漏积液未处理"),
            risks=("人员易滑倒", "有滑跌风险"),
            safe=("油桶周围地面干燥", "油桶置于托盘内无泄漏", "地面干净无油迹", "料桶放在接漏盘内"),
        ),
        "walkway_cluttered": Phrases(
            objects=("[{c}标线]通道", "[{c}边线]人行通道", "[{c}标线]走道"),
            defects=("堆有杂物", "被杂物占用", "散落木料砖块", "杂物未清理"),
            risks=("通行易绊倒", "易绊倒人员"),
            safe=("通道畅通", "人行通道无占用", "走道地面整洁", "通道标线清晰"),
        ),
    }
)

EN: Final[Mapping[str, Phrases]] = MappingProxyType(
    {
        "cylinder_unchained": Phrases(
            objects=("{n} {c} gas cylinder{s}", "{n} {c} compressed-gas cylinder{s}"),
            defects=(
                "not secured",
                "not chained to the wall",
                "standing without a restraining chain",
                "with the safety chain unhooked",
            ),
            risks=("may topple over", "valve may break off if it falls"),
            safe=(
                "gas cylinders chained",
                "gas cylinders held by a chain",
                "cylinders firmly fixed to the wall",
                "cylinders upright and restrained",
            ),
        ),
        "hose_cracked": Phrases(
            objects=("{c} gas hose", "{c} rubber hose of the burner"),
            defects=("cracked", "aged and cracked", "split in several spots", "badly perished"),
            risks=("gas may leak", "risk of a gas fire"),
            safe=(
                "gas hose intact",
                "gas hose in good condition",
                "burner hose properly clamped",
                "gas hose sound and tight",
            ),
        ),
        "box_open": Phrases(
            objects=("{c} distribution box", "{c} electrical cabinet"),
            defects=(
                "left open",
                "with its door open",
                "not closed, breakers exposed",
                "unlocked with live parts exposed",
            ),
            risks=("risk of electric shock", "live parts may be touched"),
            safe=(
                "distribution box closed",
                "electrical cabinet locked",
                "distribution box door shut",
                "warning sign on the distribution box",
            ),
        ),
        "cable_tangled": Phrases(
            objects=("cables under the {c} socket panel", "wiring at the {c} socket panel"),
            defects=(
                "in a tangle",
                "tangled and unprotected",
                "run in a makeshift way",
                "messy and not in a duct",
            ),
            risks=("may short-circuit", "overheating possible"),
            safe=(
                "cables tidy in the duct",
                "wiring straight and fixed",
                "cables properly routed",
                "socket wiring neat",
            ),
        ),
        "extinguisher_toppled": Phrases(
            objects=(
                "fire extinguisher[ of the {c} fire point]",
                "extinguisher[ at the {c} board]",
            ),
            defects=(
                "toppled over",
                "lying on the ground",
                "knocked down, inspection tag missing",
                "fallen from its stand",
            ),
            risks=("out of reach in an emergency", "first attack on a fire delayed"),
            safe=(
                "fire extinguisher in place",
                "fire extinguisher upright with its tag",
                "extinguisher inspected",
                "extinguisher standing at its fire point",
            ),
        ),
        "exit_blocked": Phrases(
            objects=("{c} emergency exit", "{c} exit door"),
            defects=(
                "blocked by cartons",
                "obstructed by boxes",
                "with cartons piled in front",
                "barred by stored goods",
            ),
            risks=("evacuation hindered", "no way out in an emergency"),
            safe=(
                "emergency exit clear",
                "exit door free",
                "exit kept clear",
                "emergency exit accessible and signed",
            ),
        ),
        "hydrant_empty": Phrases(
            objects=("{c} hydrant cabinet", "{c} fire hydrant box"),
            defects=(
                "without a hose",
                "empty with its hose missing",
                "lacking hose and nozzle",
                "with the hose taken away",
            ),
            risks=("no water in case of fire", "fire-fighting delayed"),
            safe=(
                "hydrant cabinet complete",
                "hydrant hose coiled in its cabinet",
                "hydrant box equipped with hose",
                "hydrant cabinet in order",
            ),
        ),
        "guardrail_missing": Phrases(
            objects=("{c} platform edge", "{c} raised platform"),
            defects=(
                "without a guardrail",
                "lacking guardrails",
                "with the guardrail missing",
                "unprotected with its rail removed",
            ),
            risks=("workers may fall from height", "fall hazard"),
            safe=(
                "guardrail in place",
                "platform edge railed",
                "platform guardrails complete",
                "sturdy rails on the platform",
            ),
        ),
        "opening_uncovered": Phrases(
            objects=("[{c}-framed ]floor opening", "floor hole[ with {c} frame]"),
            defects=(
                "uncovered",
                "left without a cover",
                "lacking its cover plate",
                "gaping and not closed off",
            ),
            risks=("a person may step in", "risk of stepping through"),
            safe=(
                "floor opening covered",
                "cover plate on the floor opening",
                "floor hole closed by a plate",
                "floor opening safely plated",
            ),
        ),
        "ladder_broken": Phrases(
            objects=("{c} ladder", "{c} straight ladder"),
            defects=(
                "with broken rungs",
                "with rungs missing",
                "damaged with middle rungs snapped",
                "lacking several rungs",
            ),
            risks=("climber may slip", "unsafe to climb"),
            safe=(
                "ladder intact",
                "ladder complete with all rungs",
                "ladder set up firmly",
                "ladder in good order",
            ),
        ),
        "helmet_missing": Phrases(
            objects=("worker[ in {c} overalls] at the bench", "operator[ in {c}] at the bench"),
            defects=(
                "without a hard hat",
                "not wearing a hard hat",
                "bare-headed",
                "with no safety helmet on",
            ),
            risks=("head injury possible", "exposed to falling objects"),
            safe=(
                "hard hat worn",
                "worker wearing a hard hat",
                "operator with safety helmet on",
                "head protection worn",
            ),
        ),
        "vest_missing": Phrases(
            objects=("standing worker[ in {c} clothes]", "person[ in {c} workwear]"),
            defects=(
                "without a hi-vis vest",
                "not wearing a reflective vest",
                "with no reflective vest",
                "lacking a high-visibility vest",
            ),
            risks=("hard to see for drivers", "may be struck by a vehicle"),
            safe=(
                "hi-vis vest worn",
                "worker wearing a reflective vest",
                "reflective clothing worn",
                "worker clearly visible in a hi-vis vest",
            ),
        ),
        "stack_tilting": Phrases(
            objects=("stack of {c} crates", "pile of {c} crates"),
            defects=(
                "tilting",
                "leaning to one side",
                "unstable and crooked",
                "about to tip",
            ),
            risks=("may collapse", "could come down on someone"),
            safe=(
                "crates stacked squarely",
                "crate stack stable",
                "crates neatly stacked",
                "stack of crates straight",
            ),
        ),
        "rack_sagging": Phrases(
            objects=("{c} storage rack", "shelves of the {c} rack"),
            defects=(
                "sagging",
                "bent under load",
                "overloaded and bowed",
                "deformed in the middle",
            ),
            risks=("may give way", "load may drop"),
            safe=(
                "storage rack level",
                "rack shelves straight",
                "storage rack in good shape",
                "rack loaded within limits",
            ),
        ),
        "floor_spill": Phrases(
            objects=("floor around the {n} {c} drum{s}", "ground beside the {n} {c} oil drum{s}"),
            defects=(
                "covered with spilled liquid",
                "wet with spilled oil",
                "with an oil puddle",
                "soiled by a leak",
            ),
            risks=("slip hazard", "people may slip"),
            safe=(
                "floor around the drums dry",
                "drums in a drip tray",
                "no leak at the drums",
                "drum area clean and dry",
            ),
        ),
        "walkway_cluttered": Phrases(
            objects=("[{c}-marked ]walkway", "walkway[ with {c} lines]"),
            defects=(
                "littered with debris",
                "cluttered",
                "obstructed by scrap",
                "strewn with planks and bricks",
            ),
            risks=("trip hazard", "people may trip"),
            safe=(
                "walkway clear",
                "walkway free of objects",
                "marked walkway kept clean",
                "walkway tidy",
            ),
        ),
    }
)
