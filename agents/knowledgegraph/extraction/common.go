package extraction

// common are words of the demo's languages, folded, that say too little alone to be
// a name: articles, pronouns, prepositions, forms of the commonest verbs, greetings.
// What a firm deals in (visa, tax, company) is not among them.
var common = set(`
the a an and or but if then than so as at by for from in into of off on onto out over to up with within without
i me my mine myself we us our ours you your yours he him his she her hers it its they them their theirs
this that these those here there where when why how what which who whom whose
am is are was were be been being do does did done doing have has had having can could may might must shall should will would
not no nor yes ok okay yeah please thanks thank sorry hello hi hey dear regards best kind sincerely welcome bye
all any both each every few many more most much less least other others another some such same own only also too very just even still yet already again ever never always often once now soon later today tomorrow yesterday
about above after against along among around because before behind below between beyond down during except inside near next since through till toward towards under until upon via while
one two three four five six seven eight nine ten first second third last new old good great nice big small long short high low right left early late sure fine well better worse
get gets got give gives given go goes going gone went come comes came make makes made take takes took taken see sees saw seen know knows knew known think thinks thought want wants wanted need needs needed use uses used find found look looks looked ask asked tell told say says said let lets put keep kept try tried help call called send sent show shown read write wrote work works worked start started stop stopped wait waiting reply answer question
day days week weeks month months year years hour hours minute minutes time times date
january february march april june july august september october november december monday tuesday wednesday thursday friday saturday sunday
mr mrs ms miss dr sir madam
thing things way ways people person man men woman women lot bit kind sort part end back side case point fact number name names
bill mark grace hope rich frank drew rose faith joy art max will sunny price page field young long
di ke dari dan atau yang untuk dengan pada dalam oleh sebagai ini itu ada adalah akan sudah telah belum tidak bukan jangan bisa dapat harus mau ingin perlu boleh juga saja lagi masih pun lah kah
saya aku kami kita kamu anda kalian dia ia mereka beliau nya ku mu
apa siapa mana kapan mengapa kenapa bagaimana berapa di sini situ sana
ya iya oke baik terima kasih makasih tolong mohon maaf halo hai selamat pagi siang sore malam salam hormat
pak bapak bu ibu mas mbak kak kakak adik bang tuan nyonya nona sdr
jika kalau bila karena sebab agar supaya tetapi tapi namun sehingga hingga sampai sejak setelah sebelum sesudah ketika saat waktu sedang lalu kemudian maka jadi seperti antara tentang terhadap kepada bagi tanpa hanya sangat sekali lebih kurang paling semua setiap beberapa banyak sedikit lain sama
satu dua tiga empat lima enam tujuh delapan sembilan sepuluh hari minggu bulan tahun jam menit besok kemarin lusa sekarang nanti tadi
januari februari maret april mei juni juli agustus september oktober november desember senin selasa rabu kamis jumat sabtu
buat beri kasih ambil lihat tahu pikir minta tanya jawab kirim bayar datang pergi pulang kerja mulai selesai maju baru lama besar kecil baik benar orang hal cara nama nomor
il lo la i gli le un uno una dei degli delle del dello della dell al allo alla ai agli alle all dal dallo dalla dai dagli dalle dall nel nello nella nei negli nelle nell sul sullo sulla sui sugli sulle sull e ed o od ma se che chi cui non come quando dove perche cosa quale quali quanto quanta quanti quante
di a da in con su per tra fra io tu lui lei noi voi loro mi ti ci vi si me te mio mia miei mie tuo tua tuoi tue suo sua suoi sue nostro nostra nostri nostre vostro vostra vostri vostre
sono sei siamo siete era erano essere stato stata stati ho hai ha abbiamo avete hanno avere avuto faccio fai fa facciamo fate fanno fare fatto posso puoi puo possiamo potete possono devo devi deve dobbiamo dovete devono voglio vuoi vuole vogliamo volete vogliono vorrei vado vai va andiamo andate vanno andare so sai sa sapere
si no bene male grazie prego ciao salve buongiorno buonasera scusi scusa gentile egregio cordiali distinti saluti
questo questa questi queste quello quella quelli quelle qui qua li la ecco anche ancora gia mai sempre spesso ora adesso poi prima dopo oggi domani ieri solo molto molta molti molte poco poca pochi poche tutto tutta tutti tutte altro altra altri altre stesso stessa ogni piu meno cosi quindi allora pero invece mentre senza contro verso sotto sopra dentro fuori
due tre quattro cinque sette otto nove dieci giorno giorni settimana settimane mese mesi anno anni ora ore minuto minuti
gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre lunedi martedi mercoledi giovedi venerdi sabato domenica
nuovo nuova vecchio vecchia buono buona grande piccolo piccola gente persona cosa cose parte volta volte modo caso nome numero
`)

// Ordinary reports whether text consists of common words of the demo's languages
// alone, which is no name that nothing else vouches for.
func Ordinary(text string) bool {
	words := nameWords(Fold(text))
	for _, w := range words {
		if !common[w] {
			return false
		}
	}
	return len(words) > 0
}
