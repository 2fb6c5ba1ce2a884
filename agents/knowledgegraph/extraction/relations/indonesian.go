package relations

import "github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"

//nolint:misspell // Indonesian
var indonesian = language{
	classes: map[string]string{
		"masih":  "juga masih sekarang saat ini sudah selalu biasanya baru saja telah udah kini sejak mulai bulan minggu tahun lalu kemarin resmi",
		"cara":   "penuh paruh waktu dari rumah jarak jauh langsung",
		"bagian": "bagian divisi departemen tim kantor cabang keuangan pemasaran legal hr operasional umum",
		"saya":   "saya aku gue gw sy",
		"title":  "direktur manajer manager pemilik karyawan karyawati staf staff komisaris pegawai akuntan pendiri kepala pengacara sekretaris owner konsultan insinyur guru koki teknisi kasir asisten supervisor desainer programmer arsitek dokter perawat magang",
		"rank":   "utama keuangan umum operasional pemasaran sebagai seorang hr legal",
		"urus":   "mengurus membuat mendapatkan memperoleh memperpanjang mendirikan membuka mengajukan urus buat bikin buka ajukan perpanjang pembuatan pengurusan perpanjangan pendirian proses dapat",
		"anda":   "anda kamu kita kami saya bapak ibu klien pemohon mereka kak kakak pak bu",
		"akan":   "akan juga harus cukup hanya",
		"perlu":  "membutuhkan memerlukan butuh perlu diperlukan dibutuhkan butuhkan perlukan wajib harus",
		"bawa":   "menyiapkan membawa melampirkan menyerahkan mengirim kirim siapkan lampirkan bawa punya memiliki ada menunjukkan adanya dokumen berupa",
		"lokasi": "berlokasi berkantor berada berdomisili bermukim terletak berkedudukan berpusat beralamat",
	},
	patterns: []pattern{
		{extraction.WorksFor, .95, "! X ?, ?yang *@masih bekerja|kerja di|untuk|pada|dengan y", nil},
		{extraction.WorksFor, .85, "! X *@masih bergabung dengan|di|ke|pada y", nil},
		{extraction.WorksFor, .85, "x ?, @title *@rank ?di|dari|pada y", nil},
		{extraction.WorksFor, .75, "x dari y", nil},
		{extraction.WorksFor, .9, "! x ?, ?adalah|merupakan|selaku|sebagai @title *@rank ?di|dari|pada y", nil},
		{extraction.WorksFor, .85, "@title *@rank ?dari|di y ?, ?adalah|yaitu|ialah x", nil},

		{extraction.LocatedIn, .95, "! X ?, ?yang *@masih @lokasi di y", nil},
		{extraction.LocatedIn, .9, "! x ?, ?yang *@masih tinggal|menetap di y", person},
		{extraction.LocatedIn, .75, "! x ada|punya|memiliki ?kantor|cabang di y", placed},
		{extraction.LocatedIn, .9, "kantor|kantornya|alamat X *@masih ada|berada|terletak|adalah di y", firm},
		{extraction.LocatedIn, .85, "kantor X di y", firm},
		{extraction.LocatedIn, .7, "x di y", placed},

		{extraction.GovernedBy, .95, "X ?, ?yang *@masih diatur ?lebih ?lanjut dalam|oleh|di|berdasarkan|menurut|lewat|melalui|pada|dengan Y", nil},
		{extraction.GovernedBy, .95, "! Y mengatur ?tentang|soal|mengenai X", nil},
		{extraction.GovernedBy, .9, "X *harus tunduk pada|kepada Y", nil},
		{extraction.GovernedBy, .65, "X berdasarkan|menurut y", nil},

		{extraction.Requires, .95, "X *@masih membutuhkan|memerlukan|butuh|perlu|mensyaratkan|mewajibkan *@bawa Y", nil},
		{extraction.Requires, .95, "untuk *@urus X ?, *@anda *@akan @perlu *@bawa Y", nil},
		{extraction.Requires, .9, "@perlu *@bawa Y untuk *@urus x", nil},
		{extraction.Requires, .9, "Y *@masih diperlukan|dibutuhkan|wajib|perlu untuk|dalam *@urus X", nil},
		{extraction.Requires, .9, "syarat|persyaratan|syaratnya|dokumen ?untuk *@urus X ?adalah|yaitu|antara ?lain ?: Y", nil},
		{extraction.Requires, .85, "biaya|harga ?untuk *@urus X ?adalah|sebesar|sekitar|: y", nil},
		{extraction.Requires, .8, "! X biayanya|harganya ?adalah|sebesar|sekitar|: y", nil},

		{extraction.ConflictsWith, .95, "! X *@masih bertentangan dengan Y", nil},
		{extraction.ConflictsWith, .9, "! X melanggar Y", nil},
		{extraction.ConflictsWith, .9, "X tidak|tak|gak|nggak bisa|boleh|dapat digabung|digabungkan|bersamaan|dipakai|digunakan dengan|bersama Y", nil},
		{extraction.ConflictsWith, .9, "X tidak|tak|gak|nggak diperbolehkan|diizinkan|dibolehkan|kompatibel|sesuai|cocok dengan|oleh|menurut|dalam|berdasarkan Y", nil},
		{extraction.ConflictsWith, .9, "X dilarang oleh|dalam|menurut|berdasarkan Y", nil},
		{extraction.ConflictsWith, .9, "! Y melarang X", nil},

		{extraction.ExampleOf, .85, "y ?, seperti|misalnya|contohnya X", nil},
		{extraction.ExampleOf, .95, "! X adalah|merupakan|termasuk ?salah ?satu jenis|contoh|bentuk|macam ?dari y", nil},
		{extraction.ExampleOf, .85, "! X adalah|merupakan salah satu y", nil},
		{extraction.ExampleOf, .85, "x termasuk y", nil},

		{extraction.ClientOf, .95, "! X ?, *@masih adalah|merupakan|menjadi|jadi klien|pelanggan|nasabah ?dari|di y", nil},
		{extraction.ClientOf, .85, "klien|pelanggan|nasabah y ?, ?yaitu X", nil},

		{extraction.RelatesTo, .85, "! X *@masih berkaitan|terkait|berhubungan dengan Y", nil},
	},
	own: []pattern{
		{extraction.WorksFor, .95, "^ @saya ~ *@masih bekerja|kerja|bertugas *@cara di|untuk|pada|dengan *@bagian Y", nil},
		{extraction.WorksFor, .85, "^ @saya ~ *@masih bergabung dengan|di|ke|pada y", nil},
		{extraction.WorksFor, .85, "^ @saya ~ *@masih pindah|berpindah ?kerja ke y", nil},
		{extraction.WorksFor, .85, "^ @saya ~ *@masih diterima|dipekerjakan ?bekerja|kerja di|oleh y", nil},
		{extraction.WorksFor, .9, "^ @saya ~ *@masih ?adalah|menjabat|bekerja|kerja|jadi|menjadi *@rank @title *@rank ?di|dari|pada|untuk y", nil},
		{extraction.WorksFor, .8, "^ @saya *@masih dari y", nil},
		{extraction.WorksFor, .9, "tempat|perusahaan ?tempat kerja|bekerja @saya ?sekarang ?adalah|di|: y", nil},
		{extraction.WorksFor, .9, "tempat|perusahaan ?tempat @saya *@masih kerja|bekerja ?adalah|di|: y", nil},

		{extraction.LocatedIn, .9, "^ @saya ~ *@masih tinggal|menetap|berdomisili di y", nil},
		{extraction.LocatedIn, .75, "^ @saya ~ *@masih pindah ke y", nil},

		{extraction.ClientOf, .9, "^ @saya *@masih ?adalah|merupakan|jadi|menjadi klien|pelanggan|nasabah ?dari|di y", nil},
	},
	names: []string{
		"nama ?lengkap|panggilan @saya ?adalah|: x",
		"^ perkenalkan @saya ?adalah x",
		"^ @saya ?adalah x",
		"^ perkenalkan ?, ?nama ?@saya x",
		"^ nama : x",
		"panggil @saya x",
	},
	shown: []string{
		"^ ini ?dengan|lagi x",
		"^ dengan x di sini",
		"^ x disini|lagi|nih $",
		"^ x di sini",
		"^ x disini|lagi|nih @saya",
	},
}
